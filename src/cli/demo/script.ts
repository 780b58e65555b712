import type { Io } from "../io.ts";
import type { DemoWorld } from "./world.ts";

const patienceMs = 20_000;

/**
 * A simulated gateway goes through attach, telemetry, state, configuration and command.
 *
 * @returns 0 when all of it arrived on the other side, 1 when something did not in time.
 */
export async function runDemoScript(world: DemoWorld, io: Pick<Io, "stdout" | "stderr">): Promise<number> {
  const { cloud, bridge } = world;
  const heading = (text: string) => io.stdout.write(`\n── ${text}\n`);
  const gateway = await world.connectGateway();
  try {
    heading("1. The gateway connects a device: it is attached in the cloud");
    await within("the attach", Promise.all([gateway.connectDevice(), cloud.attached()]));

    heading("2. Telemetry");
    await within("the telemetry", Promise.all([gateway.telemetry(), cloud.telemetry()]));

    heading("3. The device's state");
    await within("the state", Promise.all([gateway.state(), cloud.state()]));

    heading("4. The cloud sends a configuration");
    cloud.configure();
    await within("the configuration", Promise.all([gateway.configured(), cloud.configured()]));

    heading("5. The cloud sends a command");
    cloud.command();
    await within("the command", Promise.all([gateway.commanded(), cloud.answered()]));
  } catch (error) {
    io.stderr.write(`dragoman: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  } finally {
    await gateway.end();
  }
  const { received, delivered, pending, held, quarantined } = bridge.ledger();
  heading("The ledger");
  io.stdout.write(
    `received ${received} = delivered ${delivered} + pending ${pending} + held ${held} + quarantined ${quarantined}\n`,
  );
  return 0;
}

async function within<T>(what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const message = `The demo failed: ${what} did not arrive within ${patienceMs / 1000} s`;
    timer = setTimeout(() => reject(new Error(message)), patienceMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
