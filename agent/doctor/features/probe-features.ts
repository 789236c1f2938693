// Tries features, several at a time, each in a network namespace of its own that is gone afterwards: nothing of the node is touched, but
// for modules that the kernel loads by itself when it is asked for what they bring.
import { ProgramError } from '../../../kernel/exec.ts';
import { isNotPermitted, KernelError } from '../../../kernel/kernel-error.ts';
import { type ModuleState, moduleState } from '../../../kernel/kernel-modules.ts';
import { Netns } from '../../../kernel/netns.ts';
import { errorMessage } from '../../../runtime/error-text.ts';
import type { Feature, FeatureAnswer, FeatureState } from './feature.ts';

/** Programs of that many probes run at a time. */
const together = 6;

/** Milliseconds for one probe: a program takes tens of them, or many seconds on an emulated machine whose kernel loads modules for it. */
const longestProbe = 60_000;

/** nsenter(1) and the shell's way to say that there is no such program. */
const noSuchProgram = 127;

export interface ProbeOptions {
  readonly signal?: AbortSignal | undefined;
  readonly timeout?: number;
  readonly stateOf?: (module: string) => ModuleState;
  /** Makes a namespace for one probe. */
  readonly makeNetns?: () => Netns;
}

/** Answers in the order of the features. Rejects only when the signal aborts. */
export async function probeFeatures(
  features: readonly Feature[],
  options: ProbeOptions = {},
): Promise<readonly FeatureAnswer[]> {
  const answers: FeatureAnswer[] = [];
  const queue = [...features.entries()];
  const work = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [index, feature] = next;
      options.signal?.throwIfAborted();
      answers[index] = await probeFeature(feature, options);
    }
  };
  await Promise.all(Array.from({ length: together }, work));
  options.signal?.throwIfAborted();
  return answers;
}

async function probeFeature(feature: Feature, options: ProbeOptions): Promise<FeatureAnswer> {
  const { name, group, title, uses } = feature;
  const answer = (state: FeatureState, why: string, remedy: string): FeatureAnswer => ({
    ...{ name, group, title, uses },
    ...{ state, why, remedy },
  });
  const time = AbortSignal.timeout(options.timeout ?? longestProbe);
  const signal = options.signal === undefined ? time : AbortSignal.any([time, options.signal]);
  let netns: Netns;
  try {
    netns = (options.makeNetns ?? Netns.create)();
  } catch (error) {
    return answer('unknown', errorMessage(error), 'run it as root');
  }
  try {
    await feature.probe({ netns, signal });
    return answer('yes', '', '');
  } catch (error) {
    const why = errorMessage(error).replace(/\s+/g, ' ');
    if (time.aborted)
      return answer('unknown', `it took too long: ${why}`, 'look again when the node is less busy');
    if (isNotPermitted(error)) return answer('unknown', why, 'run it as root, outside of a container');
    return answer('no', why, remedyOf(feature, error, options.stateOf ?? moduleState));
  } finally {
    netns.close();
  }
}

function remedyOf(
  { modules = [], package: packageName, remedy }: Feature,
  error: unknown,
  stateOf: (module: string) => ModuleState,
): string {
  if (packageName !== undefined && isMissingProgram(error)) return `install package ${packageName}`;
  const states = modules.map((module) => ({ module, state: stateOf(module) }));
  const of = (state: ModuleState): string | undefined => states.find((one) => one.state === state)?.module;
  const absent = of('absent');
  if (absent !== undefined) return `take a kernel with module ${absent}: this one has none`;
  const available = of('available');
  if (available !== undefined) return `modprobe ${available}, and name it in /etc/modules-load.d`;
  const unknown = of('unknown');
  if (unknown !== undefined) return `modprobe ${unknown}, if this kernel has it`;
  return remedy ?? 'take a kernel that can do it';
}

/** Neither there nor found by nsenter. */
function isMissingProgram(error: unknown): boolean {
  if (error instanceof KernelError) return false;
  return (
    error instanceof ProgramError &&
    (error.exitCode === noSuchProgram || (error.exitCode === undefined && /\bENOENT\b/.test(error.message)))
  );
}
