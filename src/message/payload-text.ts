/** Bytes as JSON can hold them: `payload` where they are UTF-8 text, `payload64` where not. */
export function textOrBase64(bytes: Uint8Array): { readonly payload: string } | { readonly payload64: string } {
  try {
    return { payload: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch {
    return { payload64: Buffer.from(bytes).toString("base64") };
  }
}
