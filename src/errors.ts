/** The failures a caller may want to tell apart. `docs/errors.md` says of each what it means and what to do. */
export const errorCodes = [
  "ERR_CONFIG_INVALID",
  "ERR_MAPPING_INVALID",
  "ERR_KEY_INVALID",
  "ERR_LISTEN",
  "ERR_ADMIN",
  "ERR_SPOOL_FULL",
  "ERR_SPOOL_FAILED",
  "ERR_SPOOL_LOCKED",
  "ERR_UPSTREAM",
  "ERR_USAGE",
] as const;

export type ErrorCode = (typeof errorCodes)[number];

/** Every failure a caller may want to tell apart. Branch on `code`, never on `message`. */
export class DragomanError extends Error {
  override readonly name = "DragomanError";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
