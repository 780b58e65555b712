import { inspect, isDeepStrictEqual } from "node:util";
import { expect, expectTypeOf, test } from "vitest";
import type { RulesOptions } from "../../src/gateway/options.ts";
import type { GatewayLocalOptions, LocalOptions } from "../../src/local/options.ts";
import { Secret } from "../../src/message/secret.ts";
import type { SpoolOptions } from "../../src/spool/options.ts";

test("OptionsOf turns formats into what code works with and defaulted keys into required ones", () => {
  expectTypeOf<SpoolOptions>().toEqualTypeOf<{
    readonly directory: string;
    readonly maxBytes: number;
    readonly whenFull: "refuse" | "dropOldest";
  }>();
  expectTypeOf<LocalOptions["listen"]>().toEqualTypeOf<readonly string[]>();
  expectTypeOf<NonNullable<LocalOptions["tls"]>["key"]>().toEqualTypeOf<Secret>();
  expectTypeOf<GatewayLocalOptions["token"]>().toEqualTypeOf<Secret | undefined>();
  expectTypeOf<NonNullable<GatewayLocalOptions["devices"]>[string]>().toEqualTypeOf<{
    readonly bound: boolean;
    readonly publicKeys?: readonly (string | { readonly key: string; readonly expires?: number })[];
    readonly numericId?: string;
    readonly blocked: boolean;
  }>();
  expectTypeOf<RulesOptions["telemetry"]["folderKey"]>().toEqualTypeOf<string | false>();
  expectTypeOf<RulesOptions["config"]["document"]>().toEqualTypeOf<string | null>();
  expectTypeOf<RulesOptions["detachAfter"]>().toEqualTypeOf<number>();
});

test("a secret is never printed, and equals another of the same text", () => {
  const secret = new Secret("hunter2");
  const shown = [`${secret}`, JSON.stringify({ secret }), inspect({ secret }, { showHidden: true, depth: 9 })].join();
  expect(shown).not.toContain("hunter2");
  expect(secret.reveal()).toBe("hunter2");
  expect(isDeepStrictEqual(secret, new Secret("hunter2"))).toBe(true);
  expect(isDeepStrictEqual(secret, new Secret("hunter3"))).toBe(false);
});
