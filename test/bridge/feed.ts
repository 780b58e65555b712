/** Things that come in, kept in order, to look through and to wait for. */
export interface Feed<T> {
  readonly all: readonly T[];
  push(item: T): void;
  /** The first thing that fits, of those after `after` or of all; waits for it if it is still to come. */
  next(fits: (item: T) => boolean, after?: T): Promise<T>;
  /** The first `count` things that fit. */
  take(count: number, fits?: (item: T) => boolean): Promise<readonly T[]>;
}

export function createFeed<T>(): Feed<T> {
  const all: T[] = [];
  const waiting = new Set<() => void>();
  const found = <R>(look: () => R | undefined) =>
    new Promise<R>((resolve) => {
      const check = () => {
        const result = look();
        if (result === undefined) return;
        waiting.delete(check);
        resolve(result);
      };
      waiting.add(check);
      check();
    });
  return {
    all,
    push(item) {
      all.push(item);
      for (const check of [...waiting]) check();
    },
    next: (fits, after) => found(() => all.slice(after === undefined ? 0 : all.indexOf(after) + 1).find(fits)),
    take: (count, fits = () => true) =>
      found(() => {
        const fitting = all.filter(fits);
        return fitting.length < count ? undefined : fitting.slice(0, count);
      }),
  };
}
