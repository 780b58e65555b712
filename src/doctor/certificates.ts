import type { X509Certificate } from "node:crypto";
import { certificatesIn } from "../config/pem.ts";

/** The certificates in a text that the configuration was checked with: the owner's first. */
export function certificatesOf(pem: string): readonly X509Certificate[] {
  const found = certificatesIn(pem);
  return "fault" in found ? [] : found;
}
