// The fields of a foreign object, read one at a time. What is wrong is noted with its path and the rest goes on; nothing throws.
// Not for values that are read whole (zod is): a Service that is wrong in one port is used without that port.
import { quote } from '../store-error.ts';

type JsonRecord = Readonly<Record<string, unknown>>;

const nothing: JsonRecord = {};

function isRecord(value: unknown): value is JsonRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** One text, and where to say what is wrong with it. */
export interface TextEntry {
  readonly text: string;
  readonly note: (message: string) => void;
}

/** Where an object is in another one; `item`: in a list there. */
interface FieldPlace {
  readonly parent: ObjectFields;
  readonly field: string;
  readonly item?: number;
}

export class ObjectFields {
  readonly value: JsonRecord;
  /** What was found wrong so far, shared by all parts of an object: "spec.ports[1].port: want ..., not ...". */
  readonly notes: string[];
  readonly #at: FieldPlace | undefined;

  private constructor(value: JsonRecord, notes: string[], at?: FieldPlace) {
    this.value = value;
    this.notes = notes;
    this.#at = at;
  }

  /** "spec.ports[1]"; empty for the whole object. Made only when something is wrong. */
  get path(): string {
    if (this.#at === undefined) return '';
    const { parent, field, item } = this.#at;
    return item === undefined ? parent.pathOf(field) : `${parent.pathOf(field)}[${item}]`;
  }

  /** Undefined when the value is no object at all. */
  static of(value: unknown): ObjectFields | undefined {
    return isRecord(value) ? new ObjectFields(value, []) : undefined;
  }

  /** The value of a field; null counts as absent, as in Kubernetes. */
  get(name: string): unknown {
    return Object.hasOwn(this.value, name) ? (this.value[name] ?? undefined) : undefined;
  }

  names(): readonly string[] {
    return Object.keys(this.value);
  }

  note(name: string, message: string): void {
    this.notes.push(`${this.pathOf(name)}: ${message}`);
  }

  /** Adds what follows from the notes that came after the first `since`. True when there are any. */
  followUp(since: number, consequence: string): boolean {
    for (let i = since; i < this.notes.length; i++) this.notes[i] += `; ${consequence}`;
    return this.notes.length > since;
  }

  text(name: string): string | undefined {
    const value = this.get(name);
    if (value === undefined || typeof value === 'string') return value;
    this.#want(name, 'a string', value);
    return undefined;
  }

  flag(name: string): boolean | undefined {
    const value = this.get(name);
    if (value === undefined || typeof value === 'boolean') return value;
    this.#want(name, 'true or false', value);
    return undefined;
  }

  whole(
    name: string,
    { least, most }: { readonly least: number; readonly most: number },
  ): number | undefined {
    const value = this.get(name);
    if (value === undefined) return undefined;
    if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value;
    this.#want(name, `${least} to ${most}`, value);
    return undefined;
  }

  /** One of the choices; the default where there is none or another, which is noted. */
  choice<Choice extends string>(
    name: string,
    { choices, fallback }: { readonly choices: readonly Choice[]; readonly fallback: Choice },
  ): Choice {
    const value = this.get(name);
    if (value === undefined || value === '') return fallback;
    const choice = choices.find((one) => one === value);
    if (choice !== undefined) return choice;
    this.#want(name, choices.map((one) => `"${one}"`).join(' or '), value);
    this.followUp(this.notes.length - 1, `"${fallback}" is used`);
    return fallback;
  }

  /** An object in the object; an empty one where there is none. */
  child(name: string): ObjectFields {
    const value = this.get(name);
    if (value !== undefined && !isRecord(value)) this.#want(name, 'an object', value);
    return new ObjectFields(isRecord(value) ? value : nothing, this.notes, { parent: this, field: name });
  }

  /** The objects of a list. */
  children(name: string): readonly ObjectFields[] {
    const children: ObjectFields[] = [];
    this.#list(name).forEach((value, i) => {
      if (isRecord(value))
        children.push(new ObjectFields(value, this.notes, { parent: this, field: name, item: i }));
      else this.notes.push(`${this.pathOf(name)}[${i}]: want an object, not ${quote(value)}`);
    });
    return children;
  }

  /** The texts of a list. */
  texts(name: string): readonly TextEntry[] {
    const texts: TextEntry[] = [];
    this.#list(name).forEach((value, i) => {
      const note = (message: string) => this.notes.push(`${this.pathOf(name)}[${i}]: ${message}`);
      if (typeof value === 'string') texts.push({ text: value, note });
      else note(`want a string, not ${quote(value)}`);
    });
    return texts;
  }

  pathOf(name: string): string {
    if (!/^[A-Za-z]\w*$/.test(name)) return `${this.path}[${quote(name)}]`;
    return this.path === '' ? name : `${this.path}.${name}`;
  }

  #list(name: string): readonly unknown[] {
    const value = this.get(name);
    if (value === undefined) return [];
    if (Array.isArray(value)) return value;
    this.#want(name, 'a list', value);
    return [];
  }

  #want(name: string, wish: string, value: unknown): void {
    this.note(name, `want ${wish}, not ${quote(value)}`);
  }
}
