import { createHmac, randomBytes } from "node:crypto";

const inspectSymbol = Symbol.for("nodejs.util.inspect.custom");
const fingerprintKey = randomBytes(32);

/**
 * A token, password or private key on its way to the one place that needs it. Printing, inspecting, logging or
 * serialising it shows `[secret]`; only `reveal()` gives the text.
 *
 * Two secrets of one text are deeply equal, so configurations can be compared: `fingerprint` is keyed anew in each process.
 */
export class Secret {
  readonly #text: string;
  readonly fingerprint: string;

  constructor(text: string) {
    this.#text = text;
    this.fingerprint = createHmac("sha256", fingerprintKey).update(text).digest("base64url");
  }

  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return "[secret]";
  }

  toJSON(): string {
    return "[secret]";
  }

  [inspectSymbol](): string {
    return "[secret]";
  }
}
