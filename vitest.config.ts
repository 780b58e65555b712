import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Twice as long as a test waits for one event (60 s), on a machine that has much else to do.
    testTimeout: 120_000,
    // Tests mostly wait for events: two files at a time take half as long, on one core too.
    maxWorkers: 2,
    hookTimeout: 120_000,
    // Where it is decided what lands, a machine that stalls must not decide: a test that fails twice is wrong.
    retry: process.env["CI"] === undefined ? 0 : 1,
  },
});
