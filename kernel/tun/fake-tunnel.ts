// What a tunnel opens, without a kernel: descriptors that are numbers, of which it says what they are. Nothing is carried.
import { constants } from 'node:os';
import { KernelError } from '../kernel-error.ts';
import type { TunnelKernel } from './tunnel-kernel.ts';

export class FakeTunnel implements TunnelKernel {
  #next = 100;
  /** Open descriptors, by what they are: "tun flannel0", "udp 192.0.2.1:8285", "raw". */
  readonly open = new Map<number, string>();
  /** Of others on this machine: "flannel0", "192.0.2.1:8285". */
  readonly taken = new Set<string>();
  readonly #gone = new Set<number>();

  openTun(name: string): number {
    if (this.taken.has(name)) throw refusal('open TUN device', name, constants.errno.EBUSY);
    return this.#add(`tun ${name}`);
  }

  isAttached(tun: number): boolean {
    return this.open.has(tun) && !this.#gone.has(tun);
  }

  openUdp({ address, port }: Parameters<TunnelKernel['openUdp']>[0]) {
    const place = `${address}:${port}`;
    const isOurs = [...this.open.values()].includes(`udp ${place}`);
    if (isOurs || this.taken.has(place)) throw refusal('listen on UDP', place, constants.errno.EADDRINUSE);
    return { fd: this.#add(`udp ${place}`), splits: true, joins: true };
  }

  openRaw(): number {
    return this.#add('raw');
  }

  close(fd: number): void {
    if (!this.open.delete(fd)) throw refusal('close', `fd ${fd}`, constants.errno.EBADF);
  }

  /** Somebody deletes the device. */
  deleteDevice(name: string): void {
    for (const [fd, what] of this.open) if (what === `tun ${name}`) this.#gone.add(fd);
  }

  #add(what: string): number {
    const fd = this.#next++;
    this.open.set(fd, what);
    return fd;
  }
}

function refusal(operation: string, object: string, errno: number): KernelError {
  return new KernelError({ operation, object, errno });
}
