// IPv4 sockets whose calls block the thread, for programs that do nothing else: what sends, answers and counts packets in a benchmark.
// An event loop between the kernel and the clock would be most of what is measured.
import type { IpAddress } from '../net/address.ts';
import * as libc from './libc.ts';
import { socketAddress } from './socket-address.ts';

const AF_INET = 2;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
/** Beyond net.core.rmem_max; takes CAP_NET_ADMIN. */
const SO_RCVBUFFORCE = 33;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;

const receiveBuffer = 4 << 20;

export interface SocketEnd {
  readonly address: IpAddress;
  readonly port: number;
}

/** Connected: to one peer, and from it. */
export interface BlockingSocket extends Disposable {
  send(bytes: Uint8Array): void;
  /** Bytes of one datagram, or of what there is of a stream (0: it ended). Undefined when nothing came in time. */
  receive(buffer: Uint8Array): number | undefined;
}

export interface BlockingDatagrams extends BlockingSocket {
  /** Bytes of one datagram that is there already; undefined if there is none. */
  poll(buffer: Uint8Array): number | undefined;
}

export interface Patience {
  /** Milliseconds that `receive` waits; for ever if absent. */
  readonly patience?: number;
}

/** With room for thousands of packets. Throws KernelError: EADDRINUSE, EADDRNOTAVAIL, EPERM. */
export function openUdp(
  ends: { readonly own: SocketEnd; readonly peer: SocketEnd },
  { patience = 0 }: Patience = {},
): BlockingDatagrams {
  return opened(SOCK_DGRAM, (fd) => {
    libc.setSocketOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, receiveBuffer);
    libc.setReceiveTimeout(fd, patience);
    libc.bind(fd, addressOf(ends.own));
    libc.connect(fd, addressOf(ends.peer));
    return {
      send: (bytes) => void libc.send(fd, bytes),
      receive: (buffer) => libc.receive(fd, buffer, true),
      poll: (buffer) => libc.receive(fd, buffer, false),
      [Symbol.dispose]: () => libc.close(fd),
    };
  });
}

/** Throws KernelError: ECONNREFUSED, EHOSTUNREACH, ETIMEDOUT. */
export function connectTcp(to: SocketEnd, { patience = 0 }: Patience = {}): BlockingSocket {
  return opened(SOCK_STREAM, (fd) => {
    libc.setReceiveTimeout(fd, patience);
    libc.connect(fd, addressOf(to));
    return stream(fd);
  });
}

/** Serves one connection after the other; `onReady` is called when the first may come. It only ends by an error. */
export function serveTcp(
  at: SocketEnd,
  { onReady, serve }: { readonly onReady: () => void; readonly serve: (socket: BlockingSocket) => void },
): never {
  return opened(SOCK_STREAM, (fd) => {
    libc.setSocketOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    libc.bind(fd, addressOf(at));
    libc.listen(fd, 16);
    onReady();
    for (;;) {
      using socket = stream(libc.accept(fd));
      serve(socket);
    }
  });
}

/** What is written leaves at once. */
function stream(fd: number): BlockingSocket {
  libc.setSocketOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  return {
    send(bytes) {
      for (let sent = 0; sent < bytes.length; ) sent += Number(libc.send(fd, bytes.subarray(sent)));
    },
    receive: (buffer) => libc.read(fd, buffer),
    [Symbol.dispose]: () => libc.close(fd),
  };
}

/** The descriptor is closed when `use` throws. */
function opened<T>(type: number, use: (fd: number) => T): T {
  const fd = libc.socket(AF_INET, type, 0);
  try {
    return use(fd);
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

function addressOf({ address, port }: SocketEnd): Buffer {
  return socketAddress(address.bytes, port);
}
