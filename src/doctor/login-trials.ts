import type { GatewayConfig } from "../config.ts";
import type { Failure } from "../upstream/failure.ts";
import type { Evidence } from "./causes.ts";
import type { LoginKit } from "./login-kit.ts";
import { describeClockError, findClockError } from "./measure-clock.ts";

/** How many other gateways, or their keys, are tried. */
const mostOthers = 5;

export interface Refused {
  readonly kit: LoginKit;
  readonly failure: Failure;
  /** The other gateways of this configuration. */
  readonly others: readonly OtherGateway[];
  readonly doing: (what: string) => void;
}

export interface OtherGateway {
  readonly gateway: GatewayConfig;
  /** Whether the cloud takes it, as is known or can be tried; absent: that is nobody's business here. */
  readonly isTaken?: () => Promise<boolean>;
}

/** Something that can be tried out: what it proves, and what to tell of it. */
export interface Trial {
  readonly evidence: readonly Evidence[];
  readonly told?: string;
}

/** What can be tried out, by the cause it is about, in the order in which it is tried: the surest first. */
export const loginTrials: Readonly<Record<string, (refused: Refused) => Promise<Trial | undefined>>> = {
  protocol: tryProtocols,
  duplicate: tryUnknownGateway,
  clock: tryClock,
  audience: tryAudience,
  key: tryKeys,
  ids: tryOthers,
  // Which of these two is shown is known without trying.
  certificate: async ({ kit }) => shownInstead(kit.gateway.upstream.tls === undefined, "certificate"),
  credentials: async ({ kit }) => shownInstead(kit.gateway.upstream.tls !== undefined, "credentials"),
};

function shownInstead(isOther: boolean, cause: string): Trial | undefined {
  return isOther ? { evidence: [{ cause, verdict: "excluded" }] } : undefined;
}

async function tryProtocols({ kit, doing }: Refused): Promise<Trial | undefined> {
  const levels = ([4, 5] as const).filter((level) => level !== kit.access.protocol);
  for (const protocol of levels) {
    doing(`MQTT ${nameOfLevel(protocol)}`);
    if ((await kit.attempt({ protocol })) !== undefined) continue;
    const what = `the cloud does not speak MQTT ${nameOfLevel(kit.access.protocol)}; it takes MQTT ${nameOfLevel(protocol)}`;
    const remedy = `Set "upstream.protocol: ${protocol}".`;
    return {
      evidence: [{ cause: "protocol", verdict: "proven", what, remedy }],
      told: `tried MQTT ${nameOfLevel(protocol)}: taken`,
    };
  }
  return {
    evidence: [{ cause: "protocol", verdict: "excluded" }],
    told: "tried another version of MQTT: refused as well",
  };
}

/** A gateway that is not there gets another answer where ids are looked at first, and says whether ours exist. */
async function tryUnknownGateway({ kit, failure, doing }: Refused): Promise<Trial | undefined> {
  const { clientId } = kit.access.rules;
  if (clientId === undefined || clientId === "") return undefined;
  const unknown = `${clientId}-doctor`;
  doing("a gateway that does not exist");
  const other = await kit.attempt({ clientId: unknown });
  if (other === undefined || other.reason === failure.reason) return undefined;
  return {
    evidence: [
      { cause: "duplicate", verdict: "favoured" },
      { cause: "clientId", verdict: "excluded" },
      { cause: "ids", verdict: "excluded" },
    ],
    told: `tried "${unknown}", which does not exist: another answer (${other.detail}), so it is not for the ids`,
  };
}

async function tryClock({ kit, doing }: Refused): Promise<Trial | undefined> {
  if (kit.access.rules.credentials !== "jwt") return undefined;
  const error = await findClockError(kit, doing);
  if (error === undefined) {
    return {
      evidence: [{ cause: "clock", verdict: "excluded" }],
      told: "tried tokens for twelve hours back and a day ahead: refused as well, so the clock is right, or off by half a day",
    };
  }
  const what = `this machine's clock is ${describeClockError(error)}`;
  return {
    evidence: [{ cause: "clock", verdict: "proven", what }],
    told: "tried tokens for other times: those are taken, and one for now is refused",
  };
}

async function tryAudience({ kit, doing }: Refused): Promise<Trial | undefined> {
  const { dialect, parameters } = kit.config.upstream;
  const own = dialect.bind({ ...parameters, gateway: kit.gateway.upstream.gateway }).audience;
  const used = kit.access.rules.audience;
  if (own === undefined || own === used) {
    // It is one of the ids then, and what is wrong with those is said there.
    return dialect.listener?.token.audience === "checked"
      ? {
          evidence: [{ cause: "audience", verdict: "excluded" }],
          told: `the audience is the one of the dialect, "${used}"`,
        }
      : undefined;
  }
  doing(`the audience "${own}"`);
  if ((await kit.attempt({ audience: own })) !== undefined) {
    return {
      evidence: [],
      told: `tried the audience "${own}" instead of "${used}": refused as well`,
    };
  }
  const what = `the tokens are made out to "${used}", and the cloud wants "${own}"`;
  const remedy = 'Leave "upstream.audience" out.';
  return {
    evidence: [{ cause: "audience", verdict: "proven", what, remedy }],
    told: `tried the audience "${own}": taken`,
  };
}

/** Keys are swapped more often than lost. */
async function tryKeys({ kit, others, doing }: Refused): Promise<Trial | undefined> {
  const withKeys = others.filter(({ gateway }) => gateway.upstream.privateKey !== undefined).slice(0, mostOthers);
  for (const { gateway } of withKeys) {
    doing(`the key of gateway "${gateway.id}"`);
    if ((await kit.attempt({ as: gateway })) !== undefined) continue;
    const what = `the registry has the key of gateway "${gateway.id}" for this one: the files are swapped, or it was entered twice`;
    return {
      evidence: [{ cause: "key", verdict: "proven", what }],
      told: `tried the key of gateway "${gateway.id}": taken`,
    };
  }
  return withKeys.length === 0
    ? undefined
    : {
        evidence: [],
        told: `tried the key${withKeys.length === 1 ? " of the other gateway" : `s of ${withKeys.length} other gateways`}: refused as well`,
      };
}

/** What all gateways have in common is right where one of them is taken, and to blame where none is. */
async function tryOthers({ others, doing, failure, kit }: Refused): Promise<Trial | undefined> {
  let refusals = 0;
  const askable = others.flatMap(({ gateway, isTaken }) => (isTaken === undefined ? [] : [{ gateway, isTaken }]));
  for (const { gateway, isTaken } of askable.slice(0, mostOthers)) {
    doing(`gateway "${gateway.id}"`);
    if (await isTaken()) {
      return {
        evidence: [
          { cause: "key", verdict: "favoured" },
          { cause: "audience", verdict: "excluded" },
          { cause: "ids", verdict: "favoured", what: `the registry has no gateway "${kit.gateway.upstream.gateway}"` },
        ],
        told: `gateway "${gateway.id}" of the same registry is taken, so project, registry and audience are right`,
      };
    }
    refusals += 1;
  }
  if (refusals > 0) {
    return {
      evidence: [{ cause: "ids", verdict: "favoured" }],
      told: `${refusals === 1 ? "the other gateway is" : `${refusals} other gateways are`} refused as well, so it is most likely what they have in common`,
    };
  }
  const unknown = await unknownGets({ kit, doing });
  if (unknown === undefined) return undefined;
  if (unknown.reason === failure.reason) {
    return {
      evidence: [],
      told: "a gateway that does not exist gets the same answer, so the cloud cannot be made to say whether it is the key or the ids",
    };
  }
  return {
    evidence: [{ cause: "ids", verdict: "excluded" }],
    told: `a gateway that does not exist gets another answer (${unknown.detail}), so the ids are right`,
  };
}

async function unknownGets({ kit, doing }: Pick<Refused, "kit" | "doing">): Promise<Failure | undefined> {
  const { clientId } = kit.access.rules;
  if (clientId === undefined || clientId === "") return undefined;
  doing("a gateway that does not exist");
  return kit.attempt({ clientId: `${clientId}-doctor` });
}

export function nameOfLevel(level: 3 | 4 | 5): string {
  return level === 5 ? "5" : level === 4 ? "3.1.1" : "3.1";
}
