/** The failures a caller may want to tell apart. */
export type ErrorCode =
  | "ERR_CONFIG_INVALID"
  | "ERR_MAPPING_INVALID"
  | "ERR_LISTEN"
  | "ERR_SPOOL_FULL"
  | "ERR_SPOOL_FAILED"
  | "ERR_SPOOL_LOCKED"
  | "ERR_KEY_INVALID"
  | "ERR_UPSTREAM"
  | "ERR_ADMIN"
  | "ERR_USAGE";

/** Every failure a caller may want to tell apart. Branch on `code`, never on `message`. */
export class DragomanError extends Error {
  override readonly name = "DragomanError";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
