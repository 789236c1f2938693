// The Services, EndpointSlices and Endpoints of a file: manifests as `kubectl get -o yaml` prints them or a repository has them. No
// files here, only text. Other kinds are counted; what is wrong is a problem of its object, and the rest goes on.
import type { EndpointSlice } from '../endpoint-slice.ts';
import type { StoreProblem } from '../lease-store.ts';
import type { Service } from '../service.ts';
import { quote } from '../store-error.ts';
import { isDnsLabel, isDnsSubdomain } from './dns-name.ts';
import { isListHeader, type ManifestPlace, type ManifestValue, manifestValues } from './manifest-values.ts';
import { ObjectFields } from './object-fields.ts';
import { objectName } from './object-metadata.ts';
import { parseEndpointSlice } from './parse-endpoint-slice.ts';
import { parseEndpoints } from './parse-endpoints.ts';
import { parseService } from './parse-service.ts';

/** Lists in lists, as kubectl makes them: more than one is rare. */
const deepestList = 8;

/** Counted kinds are named by whoever wrote the file. */
const longestKind = 80;
const mostKinds = 100;

const noSlices: readonly EndpointSlice[] = [];

export interface Manifest {
  /** 'Service "ns/name"': unique among all that is in force. */
  readonly id: string;
  readonly place: ManifestPlace;
  /** False: it cannot be used; the problems say why. */
  readonly usable: boolean;
  readonly service: Service | undefined;
  /** Of an EndpointSlice one or none, of Endpoints any number. */
  readonly slices: readonly EndpointSlice[];
}

export interface ParsedManifests {
  readonly manifests: readonly Manifest[];
  readonly problems: readonly StoreProblem[];
  /** How many objects of other kinds there are, by kind. */
  readonly skipped: ReadonlyMap<string, number>;
  /** False: a part of the text cannot be read, and what it holds is not known. */
  readonly whole: boolean;
}

export interface ParseOptions {
  /** The name that problems give the file. */
  readonly file: string;
}

/** Reads a whole text at once. Never throws. */
export function parseManifests(text: string, options: ParseOptions): ParsedManifests {
  const steps = parseManifestSteps(text, options);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** The same, object by object: whoever has other work too can do it in between. */
export function* parseManifestSteps(
  text: string,
  options: ParseOptions,
): Generator<undefined, ParsedManifests> {
  const reader = new ManifestReader(options);
  for (const step of manifestValues(text.startsWith('\ufeff') ? text.slice(1) : text)) {
    if (step === undefined) yield;
    else if ('reason' in step) reader.unreadable(step.place, step.reason);
    else {
      reader.take(step);
      yield;
    }
  }
  return reader.result();
}

/** "web.yaml, document 2, item 3". */
export function placeInFile(file: string, { document, item }: ManifestPlace): string {
  const name = /\p{C}/u.test(file) ? quote(file) : file;
  return `${name}, document ${document}${item === undefined ? '' : `, item ${item}`}`;
}

class ManifestReader {
  readonly #file: string;
  readonly #manifests: Manifest[] = [];
  readonly #problems: StoreProblem[] = [];
  readonly #skipped = new Map<string, number>();
  #whole = true;

  constructor({ file }: ParseOptions) {
    this.#file = file;
  }

  take({ place, value, list }: ManifestValue): void {
    this.#takeValue(value, { place, list, depth: 0 });
  }

  unreadable(place: ManifestPlace, reason: string): void {
    this.#whole = false;
    this.#problem(placeInFile(this.#file, place), reason);
  }

  result(): ParsedManifests {
    return {
      manifests: this.#manifests,
      problems: this.#problems,
      skipped: this.#skipped,
      whole: this.#whole,
    };
  }

  #takeValue(
    value: unknown,
    { place, list, depth }: Pick<ManifestValue, 'place' | 'list'> & { readonly depth: number },
  ): void {
    // A document of comments only.
    if (value === null || value === undefined) return;
    const at = placeInFile(this.#file, place);
    const object = ObjectFields.of(value);
    if (object === undefined) {
      this.#problem(at, `want a Kubernetes object, not ${quote(value)}`);
      return;
    }
    const kind = object.text('kind') ?? itemKind(list?.kind);
    const apiVersion =
      object.text('apiVersion') ?? (kind === undefined ? undefined : textOf(list?.apiVersion));
    if (kind === undefined || apiVersion === undefined) {
      this.#problem(at, `want a Kubernetes object: ${kind === undefined ? 'kind' : 'apiVersion'} is missing`);
    } else if (isListHeader(value) && Array.isArray(object.get('items'))) {
      if (depth >= deepestList) this.#problem(at, `lists are nested more than ${deepestList} deep`);
      else {
        for (const item of object.children('items')) {
          this.#takeValue(item.value, { place, list: value, depth: depth + 1 });
        }
        this.#notes(at, object);
      }
    } else if (kind === 'Service' && apiVersion === 'v1') {
      this.#takeObject(object, { place, kind });
    } else if (kind === 'Endpoints' && apiVersion === 'v1') {
      this.#takeObject(object, { place, kind });
    } else if (kind === 'EndpointSlice' && /^discovery\.k8s\.io\/v1(?:beta1)?$/.test(apiVersion)) {
      this.#takeObject(object, { place, kind });
    } else {
      this.#skip(kind);
    }
  }

  #takeObject(
    object: ObjectFields,
    {
      place,
      kind,
    }: { readonly place: ManifestPlace; readonly kind: 'Service' | 'EndpointSlice' | 'Endpoints' },
  ): void {
    const name = objectName(object, { isName: kind === 'EndpointSlice' ? isDnsSubdomain : isDnsLabel });
    if (name === undefined) {
      this.#notes(`${placeInFile(this.#file, place)}: ${kind}`, object);
      return;
    }
    const id = `${kind} "${name.namespace}/${name.name}"`;
    const service = kind === 'Service' ? parseService(object, name) : undefined;
    const slices =
      kind === 'EndpointSlice'
        ? parseEndpointSlice(object, name)
        : kind === 'Endpoints'
          ? parseEndpoints(object, name)
          : noSlices;
    const usable = kind === 'Service' ? service !== undefined : slices !== undefined;
    this.#manifests.push({ id, place, usable, service, slices: slices ?? noSlices });
    if (object.notes.length > 0) this.#notes(`${placeInFile(this.#file, place)}: ${id}`, object);
  }

  #notes(object: string, { notes }: ObjectFields): void {
    for (const note of new Set(notes)) this.#problem(object, note);
  }

  #problem(object: string, message: string): void {
    this.#problems.push({ object, message });
  }

  #skip(kind: string): void {
    const name = kind.slice(0, longestKind);
    const isKnown = this.#skipped.has(name) || this.#skipped.size < mostKinds;
    const key = isKnown ? name : 'other';
    this.#skipped.set(key, (this.#skipped.get(key) ?? 0) + 1);
  }
}

/** The items of a "ServiceList" are Services, even if they do not say so. */
function itemKind(listKind: unknown): string | undefined {
  return typeof listKind === 'string' && listKind !== 'List' ? listKind.replace(/List$/, '') : undefined;
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
