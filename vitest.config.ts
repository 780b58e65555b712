import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 30_000,
    // Tests mostly wait for events: two files at a time take half as long, on one core too.
    maxWorkers: 2,
    hookTimeout: 30_000,
  },
});
