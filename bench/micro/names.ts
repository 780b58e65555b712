import { compileNames } from "../../src/gateway/names.ts";
import type { DeviceId } from "../../src/message/message.ts";
import { type Timing, timeInTurn } from "../timing.ts";

const rules = { form: "restricted", pattern: "[a-zA-Z][-a-zA-Z0-9._~%]*", minLength: 3, maxLength: 255 } as const;
const encoding = "encodeURIComponent of the same";

/** Device names as ids of a cloud that takes few characters. */
export async function measure(): Promise<readonly Timing[]> {
  const names = compileNames(rules);
  let turn = 0;
  const fresh = () => `Gerät ${turn++}` as DeviceId;
  const ns = timeInTurn({
    fresh: () => names.toUpstream(fresh()),
    back: () => names.toLocal("Ger%C3%A4t%2017" as DeviceId),
    encode: () => encodeURIComponent(fresh()),
  });
  return [
    { name: "a name that has to be escaped", ns: ns.fresh, against: encoding },
    { name: "an escaped id back to its name", ns: ns.back, against: encoding },
    { name: encoding, ns: ns.encode },
  ];
}
