// The whole native surface: system calls that Node does not offer, through koffi. Nothing here knows what it is used for.
// Every function returns the call's result or throws KernelError; nothing is asynchronous but `poll` and `sendInPool`.
import { constants } from 'node:os';
import koffi from 'koffi';
import { KernelError } from './kernel-error.ts';

// The symbols of the running process: works with glibc and musl alike.
const library = koffi.load(null);

const calls = {
  accept4: library.func('int accept4(int fd, void *address, void *length, int flags)'),
  bind: library.func('int bind(int fd, const void *address, uint32_t length)'),
  close: library.func('int close(int fd)'),
  connect: library.func('int connect(int fd, const void *address, uint32_t length)'),
  eventfd: library.func('int eventfd(uint32_t value, int flags)'),
  flock: library.func('int flock(int fd, int operation)'),
  getsockopt: library.func('int getsockopt(int fd, int level, int name, void *value, void *size)'),
  ioctl: library.func('int ioctl(int fd, uint64_t request, void *argument)'),
  listen: library.func('int listen(int fd, int backlog)'),
  mount: library.func('int mount(str source, str target, str type, uint64_t flags, const void *data)'),
  open: library.func('int open(str path, int flags, int mode)'),
  poll: library.func('int poll(void *fds, uint64_t count, int milliseconds)'),
  read: library.func('int64_t read(int fd, void *buffer, uint64_t size)'),
  recv: library.func('int64_t recv(int fd, void *buffer, uint64_t size, int flags)'),
  send: library.func('int64_t send(int fd, const void *buffer, uint64_t size, int flags)'),
  setns: library.func('int setns(int fd, int type)'),
  setsockopt: library.func('int setsockopt(int fd, int level, int name, const void *value, uint32_t size)'),
  socket: library.func('int socket(int domain, int type, int protocol)'),
  umount2: library.func('int umount2(str target, int flags)'),
  unshare: library.func('int unshare(int flags)'),
  write: library.func('int64_t write(int fd, const void *buffer, uint64_t size)'),
};

/**
 * For loops over many packets: what these calls work on lies in native memory, named by its address, and what they return is theirs, so that
 * nothing is made a call. A pointer and a uint64_t are passed alike on both machines.
 */
const packetCalls = {
  ioctl: library.func('ioctl', 'int', ['int', 'uint64_t', 'uint64_t']),
  poll: library.func('poll', 'int', ['uint64_t', 'uint64_t', 'int']),
  read: library.func('read', 'int64_t', ['int', 'uint64_t', 'uint64_t']),
  recvmmsg: library.func('recvmmsg', 'int', ['int', 'uint64_t', 'uint32_t', 'int', 'uint64_t']),
  sendmmsg: library.func('sendmmsg', 'int', ['int', 'uint64_t', 'uint32_t', 'int']),
  sendto: library.func('sendto', 'int64_t', ['int', 'uint64_t', 'uint64_t', 'int', 'uint64_t', 'uint32_t']),
  writev: library.func('writev', 'int64_t', ['int', 'uint64_t', 'int']),
};

/** Values of bits/*.h and linux/*.h on x86-64 and arm64 (the same on both). */
export const AF_NETLINK = 16;
export const SOCK_RAW = 3;
export const SOCK_CLOEXEC = 0x80000;
export const O_CLOEXEC = 0x80000;
export const O_NONBLOCK = 0x800;
export const CLONE_NEWNET = 0x40000000;
export const MSG_DONTWAIT = 0x40;
export const MSG_TRUNC = 0x20;
export const MS_BIND = 4096;
export const MS_REC = 16384;
export const MS_SHARED = 1 << 20;
export const MNT_DETACH = 2;
export const POLLIN = 1;
export const POLLOUT = 4;
export const LOCK_EX = 2;
export const LOCK_NB = 4;

const { EAGAIN, EINTR } = constants.errno;

function check(result: number, operation: string, object = ''): number {
  if (result >= 0) return result;
  // At once: whatever Node does next may set another.
  const errno = koffi.errno();
  throw new KernelError({ operation, object, errno });
}

/** `mode` is that of a file that O_CREAT makes. */
export function open(path: string, flags: number, mode = 0): number {
  return check(calls.open(path, flags | O_CLOEXEC, mode), 'open', path);
}

export function close(fd: number): void {
  check(calls.close(fd), 'close', `fd ${fd}`);
}

export function socket(domain: number, type: number, protocol: number): number {
  return check(calls.socket(domain, type | SOCK_CLOEXEC, protocol), 'open socket', `${domain}/${protocol}`);
}

export function bind(fd: number, address: Uint8Array): void {
  check(calls.bind(fd, address, address.length), 'bind socket');
}

/** Fixes the peer of a datagram socket: what is received comes from it, what is sent goes to it. */
export function connect(fd: number, address: Uint8Array): void {
  check(calls.connect(fd, address, address.length), 'connect socket');
}

export function setSocketOption(fd: number, level: number, name: number, value: number): void {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  check(calls.setsockopt(fd, level, name, bytes, 4), 'set socket option', `${level}/${name}`);
}

export function getSocketOption(fd: number, level: number, name: number): number {
  const value = Buffer.alloc(4);
  const size = Buffer.alloc(4);
  size.writeInt32LE(4);
  check(calls.getsockopt(fd, level, name, value, size), 'get socket option', `${level}/${name}`);
  return value.readInt32LE();
}

/** The longest time that a receive or an accept waits; 0: for ever. */
export function setReceiveTimeout(fd: number, milliseconds: number): void {
  // struct timeval (linux/time_types.h).
  const time = Buffer.alloc(16);
  time.writeBigInt64LE(BigInt(Math.floor(milliseconds / 1000)), 0);
  time.writeBigInt64LE(BigInt((milliseconds % 1000) * 1000), 8);
  const SOL_SOCKET = 1;
  const SO_RCVTIMEO = 20;
  check(calls.setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, time, time.length), 'set socket option', 'SO_RCVTIMEO');
}

export function listen(fd: number, backlog: number): void {
  check(calls.listen(fd, backlog), 'listen', `fd ${fd}`);
}

/** Waits for a connection and returns its descriptor. */
export function accept(fd: number): number {
  for (;;) {
    const accepted = calls.accept4(fd, null, null, SOCK_CLOEXEC);
    if (accepted >= 0) return accepted;
    const errno = koffi.errno();
    if (errno !== EINTR) throw new KernelError({ operation: 'accept connection', object: `fd ${fd}`, errno });
  }
}

/** Sends one datagram. */
export function send(fd: number, bytes: Uint8Array): number {
  for (;;) {
    const sent = calls.send(fd, bytes, bytes.length, 0);
    if (sent >= 0) return sent;
    const errno = koffi.errno();
    if (errno !== EINTR) throw new KernelError({ operation: 'send', object: `${bytes.length} bytes`, errno });
  }
}

/** Sends one datagram in a thread of the pool, for what the kernel is long about. The bytes must stay as they are until it settles. */
export function sendInPool(fd: number, bytes: Uint8Array): Promise<number> {
  return new Promise((resolve, reject) => {
    calls.send.async(fd, bytes, bytes.length, 0, (error: Error | null, sent: number) => {
      try {
        if (error !== null && error !== undefined) throw error;
        resolve(check(sent, 'send', `${bytes.length} bytes`));
      } catch (failure) {
        reject(failure);
      }
    });
  });
}

/** Receives one datagram; its whole length, even if larger than the buffer. Undefined if none is queued and waiting is not wanted. */
export function receive(fd: number, buffer: Uint8Array, wait: boolean): number | undefined {
  for (;;) {
    const size = calls.recv(fd, buffer, buffer.length, MSG_TRUNC | (wait ? 0 : MSG_DONTWAIT));
    if (size >= 0) return Number(size);
    const errno = koffi.errno();
    if (errno === EINTR) continue;
    if (errno === EAGAIN) return undefined;
    throw new KernelError({ operation: 'receive', object: '', errno });
  }
}

/** What there is of a stream, up to the buffer's length; 0 at its end. Undefined when nothing came in time. */
export function read(fd: number, buffer: Uint8Array): number | undefined {
  for (;;) {
    const size = calls.read(fd, buffer, buffer.length);
    if (size >= 0) return Number(size);
    const errno = koffi.errno();
    if (errno === EINTR) continue;
    if (errno === EAGAIN) return undefined;
    throw new KernelError({ operation: 'read', object: `fd ${fd}`, errno });
  }
}

export function setns(fd: number, type: number): void {
  check(calls.setns(fd, type), 'enter namespace');
}

export function unshare(flags: number): void {
  check(calls.unshare(flags), 'make namespace');
}

/** Without a type, as bind mounts and propagation changes want it. */
export function mount(source: string, target: string, flags: number): void {
  check(calls.mount(source, target, 'none', flags, null), 'mount', target);
}

export function umount(target: string): void {
  check(calls.umount2(target, MNT_DETACH), 'unmount', target);
}

export function ioctl(fd: number, request: number, argument: Uint8Array): void {
  check(calls.ioctl(fd, request, argument), 'control', `request 0x${request.toString(16)}`);
}

/** Takes or gives up a lock on an open file. False if LOCK_NB was given and another holds it. */
export function flock(fd: number, operation: number): boolean {
  for (;;) {
    if (calls.flock(fd, operation) === 0) return true;
    const errno = koffi.errno();
    if (errno === EINTR) continue;
    if (errno === EAGAIN) return false;
    throw new KernelError({ operation: 'lock', object: `fd ${fd}`, errno });
  }
}

export function eventfd(): number {
  return check(calls.eventfd(0, O_CLOEXEC | O_NONBLOCK), 'make eventfd');
}

/** Adds one to an eventfd: whoever polls it wakes up. */
export function signalEventfd(fd: number): void {
  const one = Buffer.alloc(8);
  one.writeUInt8(1);
  check(Number(calls.write(fd, one, 8)), 'write eventfd');
}

/** Sets an eventfd back to zero. */
export function clearEventfd(fd: number): void {
  const value = Buffer.alloc(8);
  if (calls.read(fd, value, 8) < 0 && koffi.errno() !== EAGAIN) check(-1, 'read eventfd');
}

/**
 * Waits in a thread of the pool until one of the descriptors can be read. `entries` is an array of struct pollfd (8 bytes
 * each) and must stay alive until the promise settles with the number of ready ones (-1: interrupted).
 */
export function poll(entries: Buffer, milliseconds: number): Promise<number> {
  return new Promise((resolve, reject) => {
    calls.poll.async(entries, entries.length / 8, milliseconds, (error: Error | null, ready: number) => {
      if (error === null || error === undefined) resolve(ready);
      else reject(error);
    });
  });
}

/** Memory that does not move and is not Node's: the kernel may be given its address. Zeroed; gone with `free()`, and its bytes with it. */
export interface NativeMemory {
  /** Below 2^47: exact. */
  readonly address: number;
  readonly bytes: ArrayBuffer;
  free(): void;
}

export function nativeMemory(size: number): NativeMemory {
  const pointer: bigint = koffi.alloc('uint8_t', size);
  return {
    address: Number(pointer),
    bytes: koffi.view(pointer, size),
    free: () => koffi.free(pointer),
  };
}

/** A call's own result, or the negative errno where it failed; interrupted calls are made again. */
function resultOf(call: () => number): number {
  for (;;) {
    const result = call();
    if (result >= 0) return result;
    const errno = koffi.errno();
    if (errno !== EINTR) return -errno;
  }
}

/** `address`: of an array of struct pollfd. Blocks the thread. Interrupted, it returns 0, so that whoever waits may look why. */
export function pollNow(address: number, count: number, milliseconds: number): number {
  const ready: number = packetCalls.poll(address, count, milliseconds);
  if (ready >= 0) return ready;
  const errno = koffi.errno();
  return errno === EINTR ? 0 : -errno;
}

export function readTo(fd: number, address: number, size: number): number {
  return resultOf(() => packetCalls.read(fd, address, size));
}

/** `vectors`: address of an array of struct iovec. */
export function writeVectors(fd: number, vectors: number, count: number): number {
  return resultOf(() => packetCalls.writev(fd, vectors, count));
}

/** `messages`: address of an array of struct mmsghdr. How many were sent, at least one, or the negative errno of the first. */
export function sendMessages(fd: number, messages: number, count: number): number {
  return resultOf(() => packetCalls.sendmmsg(fd, messages, count, MSG_DONTWAIT));
}

export function receiveMessages(fd: number, messages: number, count: number): number {
  return resultOf(() => packetCalls.recvmmsg(fd, messages, count, MSG_DONTWAIT, 0));
}

export interface Datagram {
  readonly address: number;
  readonly size: number;
}

/** `to`: where a struct sockaddr lies. */
export function sendDatagram(fd: number, { address, size }: Datagram, to: Datagram): number {
  return resultOf(() => packetCalls.sendto(fd, address, size, MSG_DONTWAIT, to.address, to.size));
}

/** For requests whose argument is a number, not a place. */
export function ioctlNumber(fd: number, request: number, argument: number): void {
  check(packetCalls.ioctl(fd, request, argument), 'control', `request 0x${request.toString(16)}`);
}
