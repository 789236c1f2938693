// Messages of Protocol Buffers from tables of their fields: encode writes the fields that are given, decode fills in what is not there.
// The bytes themselves are @bufbuild/protobuf's. Which messages there are is messages.ts's.
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** `Out` is what is read, `In` what is written. */
export interface Field<Out, In = Out> {
  readonly number: number;
  readonly wireType: WireType;
  /** What a message has that does not say. */
  initial(): Out;
  write(writer: BinaryWriter, value: In): void;
  /** `before`: what the message has of this field so far; may be added to. */
  read(reader: BinaryReader, before: Out): Out;
}

export interface Codec<Out, In = Partial<Out>> {
  encode(message: In): Buffer;
  /** Passes over fields that it does not know. Throws for what is no such message. */
  decode(bytes: Uint8Array): Out;
}

interface Scalar<Value> {
  readonly wireType: WireType;
  readonly initial: Value;
  readonly write: (writer: BinaryWriter, value: Value) => void;
  readonly read: (reader: BinaryReader) => Value;
}

function scalar<Value>({ wireType, initial, write, read }: Scalar<Value>) {
  return (number: number): Field<Value> => ({
    number,
    wireType,
    initial: () => initial,
    write: (writer, value) => write(writer.tag(number, wireType), value),
    read,
  });
}

export const int64 = scalar<bigint>({
  wireType: WireType.Varint,
  initial: 0n,
  write: (writer, value) => writer.int64(value),
  read: (reader) => BigInt(reader.int64()),
});

export const uint64 = scalar<bigint>({
  wireType: WireType.Varint,
  initial: 0n,
  write: (writer, value) => writer.uint64(value),
  read: (reader) => BigInt(reader.uint64()),
});

/** Enumerations. */
export const int32 = scalar<number>({
  wireType: WireType.Varint,
  initial: 0,
  write: (writer, value) => writer.int32(value),
  read: (reader) => reader.int32(),
});

export const bool = scalar<boolean>({
  wireType: WireType.Varint,
  initial: false,
  write: (writer, value) => writer.bool(value),
  read: (reader) => reader.bool(),
});

export const bytes = scalar<Uint8Array>({
  wireType: WireType.LengthDelimited,
  initial: new Uint8Array(),
  write: (writer, value) => writer.bytes(value),
  read: (reader) => reader.bytes(),
});

export const string = scalar<string>({
  wireType: WireType.LengthDelimited,
  initial: '',
  write: (writer, value) => writer.string(value),
  read: (reader) => reader.string(),
});

/** A message in a message. */
export function nested<Out, In>(number: number, codec: Codec<Out, In>): Field<Out | undefined, In> {
  return {
    number,
    wireType: WireType.LengthDelimited,
    initial: () => undefined,
    write: (writer, value) => writer.tag(number, WireType.LengthDelimited).bytes(codec.encode(value)),
    read: (reader) => codec.decode(reader.bytes()),
  };
}

/** Any number of messages in a message. */
export function list<Out, In>(number: number, codec: Codec<Out, In>): Field<Out[], readonly In[]> {
  return {
    number,
    wireType: WireType.LengthDelimited,
    initial: () => [],
    write(writer, values) {
      for (const value of values) writer.tag(number, WireType.LengthDelimited).bytes(codec.encode(value));
    },
    read(reader, before) {
      before.push(codec.decode(reader.bytes()));
      return before;
    },
  };
}

// Fields of all kinds in one table: what each of them reads and writes is known by its name only.
// biome-ignore lint/suspicious/noExplicitAny: the two types below say for each name which it is
type Fields = Readonly<Record<string, Field<any, any>>>;
type OutOf<F extends Fields> = { [K in keyof F]: F[K] extends Field<infer Out, infer _> ? Out : never };
type InOf<F extends Fields> = {
  readonly [K in keyof F]?: F[K] extends Field<infer _, infer In> ? In : never;
};

export function message<F extends Fields>(fields: F): Codec<OutOf<F>, InOf<F>> {
  const byNumber = new Map(Object.entries(fields).map(([name, field]) => [field.number, { name, field }]));
  return {
    encode(values) {
      const writer = new BinaryWriter();
      for (const [name, field] of Object.entries(fields)) {
        const value = values[name];
        if (value !== undefined) field.write(writer, value);
      }
      return Buffer.from(writer.finish());
    },
    decode(input) {
      const reader = new BinaryReader(input);
      const values: Record<string, unknown> = {};
      for (const [name, field] of Object.entries(fields)) values[name] = field.initial();
      while (reader.pos < reader.len) {
        const [number, wireType] = reader.tag();
        const known = byNumber.get(number);
        if (known === undefined) reader.skip(wireType, number);
        else if (known.field.wireType !== wireType)
          throw new RangeError(`Cannot read field "${known.name}": wire type ${wireType}`);
        else values[known.name] = known.field.read(reader, values[known.name]);
      }
      // Each value was read by the field of its name; the compiler cannot follow that through the loop.
      return values as OutOf<F>;
    },
  };
}

export type OutputOf<C> = C extends Codec<infer Out, infer _> ? Out : never;
export type InputOf<C> = C extends Codec<infer _, infer In> ? In : never;
