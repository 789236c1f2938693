// The parts that schemas of a network configuration are made of: objects with keys in any letter case, and text that becomes an
// address, a prefix or a MAC at once.
import { z } from 'zod';
import { IpAddress } from '../net/address.ts';
import { Mac } from '../net/mac.ts';
import { Prefix } from '../net/prefix.ts';
import { keyCanonicalizer } from './canonical-keys.ts';

/** Keys in any case, null is absent, unknown keys are dropped. */
export function goObject<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.preprocess(keyCanonicalizer(Object.keys(shape)), z.object(shape));
}

function parsedBy<T>(parse: (text: string) => T | undefined, wish: string) {
  return z.string().transform((text, context) => {
    const value = parse(text);
    if (value !== undefined) return value;
    context.addIssue({ code: 'custom', message: `want ${wish}`, input: text });
    return z.NEVER;
  });
}

/** Go writes empty text for what is not given. */
function orEmpty<T>(parse: (text: string) => T | undefined, wish: string) {
  const none = { value: undefined };
  return parsedBy<{ readonly value: T | undefined }>((text) => {
    if (text === '') return none;
    const value = parse(text);
    return value === undefined ? undefined : { value };
  }, wish)
    .transform(({ value }) => value)
    .optional();
}

/** IPv4-mapped IPv6 addresses are neither: no route or rule would ever match. */
export function parseAddress(text: string): IpAddress | undefined {
  const address = IpAddress.tryParse(text);
  return address?.isIp4Mapped === true ? undefined : address;
}

function parsePrefix(text: string): Prefix | undefined {
  const prefix = Prefix.tryParse(text);
  return prefix?.address.isIp4Mapped === true ? undefined : prefix;
}

/** One that an interface may have: "ADDRESS" or "ADDRESS/LENGTH", of which the length is dropped. */
export function parseHostAddress(text: string): IpAddress | undefined {
  const address = text.includes('/') ? parsePrefix(text)?.address : parseAddress(text);
  if (address === undefined) return undefined;
  const { isUnspecified, isLoopback, isMulticast, isBroadcast } = address;
  return isUnspecified || isLoopback || isMulticast || isBroadcast ? undefined : address;
}

/** One that an interface may have. */
export function parseUnicastMac(text: string): Mac | undefined {
  const mac = Mac.tryParse(text);
  return mac === undefined || mac.isMulticast || mac.isZero ? undefined : mac;
}

export const wishes = {
  hostAddress: 'an IPv4 or IPv6 address that an interface can have',
  mac: 'a unicast MAC address such as "02:00:00:00:00:01"',
} as const;

const addressWish = 'an IPv4 or IPv6 address';
export const optionalAddress = orEmpty(parseAddress, addressWish);
export const prefix = parsedBy(parsePrefix, 'ADDRESS/LENGTH');
export const optionalPrefix = orEmpty(parsePrefix, 'ADDRESS/LENGTH');
export const hostAddress = parsedBy(parseHostAddress, wishes.hostAddress);
export const optionalMac = orEmpty(parseUnicastMac, wishes.mac);

/** Goes into results and messages: any text of one line. */
export const plainText = z.string().refine(isPlain, { message: 'want text without control characters' });

function isPlain(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  return !/[\u0000-\u001f\u007f]/.test(text) && text.isWellFormed();
}

/** Linux's PATH_MAX, less its zero byte. */
const longestPath = 4095;

function isAbsolutePath(path: string): boolean {
  return (
    path.startsWith('/') &&
    isPlain(path) &&
    !path.split('/').includes('..') &&
    Buffer.byteLength(path) <= longestPath
  );
}

export const optionalPath = orEmpty(
  (path) => (isAbsolutePath(path) ? path : undefined),
  'an absolute path without ".." and control characters',
);

/** Empty text is the default too. */
export function absolutePath(otherwise: string) {
  return optionalPath.transform((path) => path ?? otherwise);
}

/** Of 32 bits, as netlink carries it. */
export const uint32 = z.int().min(0).max(0xffffffff);
