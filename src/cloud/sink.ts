import type { Realm } from "./realm.ts";
import type { Device } from "./registry.ts";

/**
 * What a message's consumer behind the cloud is told beside the payload (vendors' MQTT bridge pages).
 *
 * `gateway` only for a message that came through one. OmniCore's own names are not documented: its subscription stands in
 * place of project and location.
 */
export function sinkAttributes(
  realm: Pick<Realm, "variant" | "place">,
  from: { readonly device: Device; readonly gateway: string | undefined; readonly folder: string | undefined },
): Readonly<Record<string, string>> {
  const { variant, place } = realm;
  return {
    deviceId: from.device.id,
    deviceNumId: from.device.numericId,
    deviceRegistryId: place.registry,
    ...(variant.registryInTopics
      ? { subscription: place.subscription }
      : { deviceRegistryLocation: place.location, projectId: place.project }),
    subFolder: from.folder ?? "",
    ...(from.gateway === undefined ? {} : { gatewayId: from.gateway }),
  };
}
