// The udp backend as one would write it in Node without a second thought: packets of a TUN device by fs.read, datagrams by node:dgram,
// one by one through the event loop. flannel's wire format, one peer. It is what our forwarder is measured against, never part of it.
import { createSocket } from 'node:dgram';
import { read, write } from 'node:fs';
import { KernelError } from '../../../kernel/kernel-error.ts';
import * as libc from '../../../kernel/libc.ts';
import type { IpAddress } from '../../../net/address.ts';

const O_RDWR = 2;
/** linux/if_tun.h */
const TUNSETIFF = 0x400454ca;
const IFF_TUN = 0x0001;
const IFF_NO_PI = 0x1000;
const ifreqSize = 40;
const flagsOffset = 16;

const port = 8285;
const largest = 2048;
/** Of the four threads of libuv's pool one is left for writing. */
const readsAtOnce = 3;

export interface NaiveLoop {
  readonly device: string;
  readonly own: IpAddress;
  readonly peer: IpAddress;
  readonly onReady: () => void;
}

/** Makes the device, which goes with this process, and carries its packets from then on. */
export function naiveLoop({ device, own, peer, onReady }: NaiveLoop): void {
  const tun = openTun(device);
  const socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20 });
  socket.on('error', ignore);
  socket.on('message', (packet) => write(tun, packet, 0, packet.length, null, ignore));
  socket.bind(port, own.toString(), () =>
    socket.connect(port, peer.toString(), () => {
      for (let i = 0; i < readsAtOnce; i++) carryOne();
      onReady();
    }),
  );

  function carryOne(): void {
    const packet = Buffer.allocUnsafe(largest);
    read(tun, packet, 0, largest, null, (error, size) => {
      // The device is down until somebody sets it up (EIO).
      if (error !== null) return void setTimeout(carryOne, 10);
      socket.send(packet.subarray(0, size), ignore);
      carryOne();
    });
  }
}

function ignore(): void {}

function openTun(name: string): number {
  const request = Buffer.alloc(ifreqSize);
  request.write(name, 0, flagsOffset - 1, 'utf8');
  request.writeUInt16LE(IFF_TUN | IFF_NO_PI, flagsOffset);
  const fd = libc.open('/dev/net/tun', O_RDWR);
  try {
    libc.ioctl(fd, TUNSETIFF, request);
    return fd;
  } catch (error) {
    libc.close(fd);
    if (!(error instanceof KernelError)) throw error;
    throw new Error(`Cannot make the TUN device "${name}": ${error.message}`, { cause: error });
  }
}
