/** Which records of a block are gone, by how manieth they are: a bit for each, from the lowest of the first byte. */
export class Gone {
  readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  /** Of a block of so many records: all of them. */
  static all(count: number): Gone {
    return new Gone(Buffer.alloc((count + 7) >> 3, 0xff));
  }

  delete(index: number): void {
    this.bytes[index >> 3] = (this.bytes[index >> 3] as number) & ~(1 << (index & 7));
  }

  has(index: number): boolean {
    return ((this.bytes[index >> 3] ?? 0) & (1 << (index & 7))) !== 0;
  }
}
