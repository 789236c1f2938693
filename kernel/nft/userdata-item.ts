// One item of nft's user data: a byte of type, a byte of length, the value. Items nest.
import type { ByteReader, ByteWriter } from '../netlink/bytes.ts';

/** Throws RangeError when the value is longer than a byte can say. */
export function userdataItem(out: ByteWriter, type: number, value: () => void): void {
  out.u8(type);
  const at = out.length;
  out.u8(0);
  value();
  const length = out.length - at - 1;
  if (length > 255)
    throw new RangeError(`Cannot write ${length} bytes of user data in one item: 255 are the most`);
  out.memory[at] = length;
}

/** Items in order. Throws DecodeError when one is cut short. */
export function readUserdata(input: ByteReader): readonly (readonly [type: number, value: ByteReader])[] {
  const items: [number, ByteReader][] = [];
  while (input.remaining >= 2) {
    const type = input.u8();
    items.push([type, input.slice(input.u8())]);
  }
  return items;
}
