// What the kernel's refusal of a step means: whether what was asked for is so already, and what an operator should be told. The fake asks
// the same.
import { isExists, isNotFound, KernelError } from '../kernel-error.ts';
import { type IpvsAccess, type IpvsStep, type RealServerState, realServerText } from './objects.ts';
import { isSameReal, isSameServer } from './plan.ts';
import { isMissingScheduler, schedulerModule } from './schedulers.ts';
import { serverWords } from './text.ts';

type Look = Pick<IpvsAccess, 'server' | 'realServers'>;

/**
 * The step's error; undefined when its aim is so already. `look` asks how things are when the whole batch has gone in: what an addition
 * found there and a later step has deleted, nobody misses.
 */
export function stepOutcome(step: IpvsStep, error: KernelError, look: Look): KernelError | undefined {
  switch (step.kind) {
    case 'server-delete':
    case 'real-delete':
      return isNotFound(error) ? undefined : error;
    case 'server-add': {
      if (!isExists(error)) return explained(step, error);
      const there = look.server(step.server);
      if (there === undefined || isSameServer(step.server, there)) return undefined;
      return inWords(
        error,
        `it is there as "${serverWords(there)}"${there.hasOtherOptions ? ' and more' : ''}`,
      );
    }
    case 'real-add': {
      if (!isExists(error)) return explained(step, error);
      const key = realServerText(step.real);
      const there = realServers(step, look).find((real) => realServerText(real) === key);
      if (there === undefined || isSameReal(step.real, there)) return undefined;
      return inWords(
        error,
        `it is there with weight ${there.weight}${there.isNat ? '' : ', and without NAT'}`,
      );
    }
    case 'server-change':
    case 'real-change':
      return explained(step, error);
    default:
      return step satisfies never;
  }
}

function realServers(
  { server }: Extract<IpvsStep, { readonly kind: 'real-add' }>,
  look: Look,
): readonly RealServerState[] {
  try {
    return look.realServers(server);
  } catch (error) {
    if (isNotFound(error)) return [];
    throw error;
  }
}

type Asking = Exclude<IpvsStep, { readonly kind: 'server-delete' | 'real-delete' }>;

/** With the words that the kernel's own answer lacks: it has none for IPVS. */
function explained(step: Asking, error: KernelError): KernelError {
  if (error.kernelMessage !== undefined) return error;
  const words = advice(step, error);
  return words === undefined ? error : inWords(error, words);
}

function advice(step: Asking, error: KernelError): string | undefined {
  if (step.kind === 'server-add' || step.kind === 'server-change') {
    if (isMissingScheduler(error))
      return `this kernel has no scheduler "${step.server.scheduler}" (module ${schedulerModule(step.server.scheduler)})`;
    return error.code === 'ESRCH' ? 'there is no such virtual server' : undefined;
  }
  if (error.code === 'ESRCH') return 'there is no such virtual server';
  if (error.code === 'ENOENT') return 'the virtual server has no such real server';
  if (error.code !== 'EINVAL') return undefined;
  return step.real.address.family === step.server.address.family
    ? 'it is not the address of one machine'
    : 'NAT leads to real servers of the same family only';
}

function inWords(error: KernelError, kernelMessage: string): KernelError {
  const { operation, object, errno } = error;
  return new KernelError({ operation, object, errno, kernelMessage, cause: error });
}
