import { isDeepStrictEqual } from "node:util";
import { type Admin, type AdminSource, openAdmin } from "../admin/admin.ts";
import type { AdminOptions } from "../admin/options.ts";

/** Where the admin server is at the moment, if anywhere. */
export class AdminPlace {
  readonly #source: AdminSource;
  #options: AdminOptions | false = false;
  #admin: Admin | undefined;

  constructor(source: AdminSource) {
    this.#source = source;
  }

  get url(): string | undefined {
    return this.#admin?.url;
  }

  /**
   * Serves as these options say from now on. At another address it is there before it leaves the old one.
   *
   * @throws {DragomanError} `ERR_ADMIN`: it is where it was.
   */
  async move(options: AdminOptions | false): Promise<void> {
    if (isDeepStrictEqual(options, this.#options)) return;
    const [before, was] = [this.#admin, this.#options];
    if (options !== false && was !== false && options.listen === was.listen) await before?.close();
    try {
      this.#admin = options === false ? undefined : await openAdmin(options, this.#source);
    } catch (error) {
      if (options !== false && was !== false && options.listen === was.listen) {
        this.#admin = await openAdmin(was, this.#source);
      }
      throw error;
    }
    this.#options = options;
    await before?.close();
  }

  async close(): Promise<void> {
    await this.#admin?.close();
  }
}
