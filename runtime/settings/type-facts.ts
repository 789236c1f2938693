// What help and flags must know of a setting's type that zod does not tell.
import { z } from 'zod';

export interface TypeFacts {
  /** Ends the sentence "expected ...". */
  readonly expected: string;
  /** Stands for the value in help. */
  readonly placeholder: string;
  /** `flag`: on or off, the flag takes no value. `list`: the flag may be repeated. */
  readonly shape?: 'flag' | 'list';
}

const registry = z.registry<TypeFacts>();

export function withFacts<S extends z.ZodType>(type: S, facts: TypeFacts): S {
  registry.add(type, facts);
  return type;
}

/** The facts of a type, or of the one inside `.optional()` and its like; undefined for a plain zod type. */
export function typeFacts(type: z.ZodType): TypeFacts | undefined {
  const facts = registry.get(type);
  if (facts !== undefined) return facts;
  if (type instanceof z.ZodOptional || type instanceof z.ZodNullable || type instanceof z.ZodReadonly) {
    const inner: unknown = type.unwrap();
    return inner instanceof z.ZodType ? typeFacts(inner) : undefined;
  }
  return undefined;
}
