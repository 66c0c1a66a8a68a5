import { closeSync } from 'node:fs';
import type { VolumeEntry } from './windows-volume.js';

/** What a handle of an SFTP session stands for. */
export type SftpHandle =
  | {
      readonly kind: 'file';
      readonly path: string;
      readonly descriptor: number;
      readonly readable: boolean;
      readonly writable: boolean;
      /** Every write goes to the end of the file, whatever its offset. */
      readonly append: boolean;
    }
  | {
      readonly kind: 'directory';
      readonly path: string;
      /** What has not been sent yet. */
      readonly entries: VolumeEntry[];
    };

/** The open handles of one SFTP session. */
export class SftpHandles {
  readonly #open = new Map<string, SftpHandle>();
  #next = 0;

  /** Keeps a handle; returns the opaque name under which the client will ask for it. */
  add(handle: SftpHandle): Buffer {
    // Never the number of a handle before: one that was closed stays invalid.
    const name = Buffer.alloc(4);
    name.writeUInt32BE(this.#next);
    this.#next += 1;
    this.#open.set(name.toString('hex'), handle);
    return name;
  }

  get(name: Buffer): SftpHandle | undefined {
    return this.#open.get(name.toString('hex'));
  }

  /** Closes a handle; false when it is not open. */
  close(name: Buffer): boolean {
    const handle = this.get(name);
    if (handle === undefined) return false;
    this.#open.delete(name.toString('hex'));
    if (handle.kind === 'file') closeSync(handle.descriptor);
    return true;
  }

  closeAll(): void {
    for (const name of [...this.#open.keys()]) this.close(Buffer.from(name, 'hex'));
  }
}
