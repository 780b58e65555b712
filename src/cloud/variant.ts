/** The clouds of the IoT Core family, which share topics' shape and meaning and differ in the rest of this file. */
export type CloudDialect = "google" | "clearblade" | "omnicore";

export const cloudDialects: readonly CloudDialect[] = ["google", "clearblade", "omnicore"];

/** How one cloud of the family differs from the others, as far as a connected device can tell. */
export interface Variant {
  readonly name: CloudDialect;
  /** The only client ids it knows; named groups are the parts of a `Place` and `id`. */
  readonly clientId: RegExp;
  /** The registry's id is the first level of every topic, where the others have the word `devices`. */
  readonly registryInTopics: boolean;
  /** CONNACK code for another level than MQTT 3.1.1; absent: the socket is closed without one. */
  readonly wrongLevelCode?: number;
  /** CONNACK code for an unknown or blocked device and for a bad token. */
  readonly wrongLoginCode: number;
  /** Whether tokens with padding or with `+` and `/` are refused. */
  readonly strictBase64url: boolean;
  /** Whether `aud` must be the project and `typ` must stand in the header. */
  readonly strictClaims: boolean;
  /** Devices that may be attached to one gateway at a time. */
  readonly attached: number;
  /** What two states of a device within a second lead to. */
  readonly fastState: "close" | "accept";
}

const projectClientId =
  /^projects\/(?<project>[^/]+)\/locations\/(?<location>[^/]+)\/registries\/(?<registry>[^/]+)\/devices\/(?<id>[^/]+)$/;

const subscriptionClientId =
  /^subscriptions\/(?<subscription>[^/]+)\/registries\/(?<registry>[^/]+)\/devices\/(?<id>[^/]+)$/;

/**
 * The three clouds.
 *
 * What no vendor page says was chosen: OmniCore answers a wrong level as MQTT 3.1.1, 3.1.2.2 asks and a bad login with 5;
 * ClearBlade treats a fast state as Google did.
 */
export const variants: Readonly<Record<CloudDialect, Variant>> = {
  google: {
    name: "google",
    clientId: projectClientId,
    registryInTopics: false,
    wrongLoginCode: 5,
    strictBase64url: false,
    strictClaims: true,
    attached: 1000,
    fastState: "close",
  },
  clearblade: {
    name: "clearblade",
    clientId: projectClientId,
    registryInTopics: false,
    wrongLevelCode: 1,
    wrongLoginCode: 4,
    strictBase64url: true,
    strictClaims: true,
    attached: 1000,
    fastState: "close",
  },
  omnicore: {
    name: "omnicore",
    clientId: subscriptionClientId,
    registryInTopics: true,
    wrongLevelCode: 1,
    wrongLoginCode: 5,
    strictBase64url: false,
    strictClaims: false,
    attached: 10_000,
    fastState: "accept",
  },
};

/** Which registry the stand-in plays. `subscription` counts for omnicore, `project` and `location` for the others. */
export interface Place {
  readonly project: string;
  readonly location: string;
  readonly registry: string;
  readonly subscription: string;
}

/** The client id a device of this place connects with. */
export function clientIdOf(variant: Variant, place: Place, device: string): string {
  const owner = variant.registryInTopics
    ? `subscriptions/${place.subscription}`
    : `projects/${place.project}/locations/${place.location}`;
  return `${owner}/registries/${place.registry}/devices/${device}`;
}

/**
 * Reads a client id: `elsewhere` is well formed but of another project, location, subscription or registry, and
 * `undefined` is not of this cloud's grammar at all.
 */
export function readClientId(
  variant: Variant,
  place: Place,
  clientId: string,
): { id: string; elsewhere: boolean } | undefined {
  const groups = variant.clientId.exec(clientId)?.groups;
  const id = groups?.["id"];
  if (groups === undefined || id === undefined) return undefined;
  return { id, elsewhere: clientId !== clientIdOf(variant, place, id) };
}
