import type { Flight } from "./flights.ts";

const leastSlots = 16;

/**
 * Flights by their tokens. Tokens count up, so that their last bits spread them evenly over a table in which one that finds
 * its place taken stands in the next free one. Coming and going leaves nothing behind for the garbage collector.
 */
export class FlightTable {
  /** As many as a power of two, at least half of them free. */
  #slots: (Flight | undefined)[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(token: number): Flight | undefined {
    if (this.#size === 0) return undefined;
    return this.#slots[this.#slotOf(token)];
  }

  /** Takes in a flight whose token no other has. */
  add(flight: Flight): void {
    if (this.#size * 2 >= this.#slots.length) this.#grow();
    this.#slots[this.#slotOf(flight.token)] = flight;
    this.#size += 1;
  }

  delete(token: number): void {
    if (this.#size === 0) return;
    const slots = this.#slots;
    const mask = slots.length - 1;
    let free = this.#slotOf(token);
    if (slots[free] === undefined) return;
    this.#size -= 1;
    // Whoever stands behind without a gap and could stand here moves up: what is looked for ends at a gap.
    for (let at = (free + 1) & mask; ; at = (at + 1) & mask) {
      const flight = slots[at];
      if (flight === undefined) break;
      const isBeyond = ((at - flight.token) & mask) >= ((at - free) & mask);
      if (!isBeyond) continue;
      slots[free] = flight;
      free = at;
    }
    slots[free] = undefined;
  }

  /** All of them, oldest first. */
  all(): Flight[] {
    if (this.#size === 0) return [];
    return this.#slots.filter((flight) => flight !== undefined).sort((one, other) => one.token - other.token);
  }

  /** Where the flight with this token is, or would be. */
  #slotOf(token: number): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let at = token & mask;
    for (let flight = slots[at]; flight !== undefined && flight.token !== token; flight = slots[at]) {
      at = (at + 1) & mask;
    }
    return at;
  }

  #grow(): void {
    const flights = this.#slots;
    this.#slots = new Array(Math.max(leastSlots, flights.length * 2)).fill(undefined);
    for (const flight of flights) if (flight !== undefined) this.#slots[this.#slotOf(flight.token)] = flight;
  }
}
