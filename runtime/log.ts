// The log: JSON lines for machines or readable ones for people, through pino. It decides nothing about what is logged.
import { createRequire } from 'node:module';
import { isatty } from 'node:tty';
import {
  type DestinationStream,
  type Logger as PinoLogger,
  pino,
  stdSerializers,
  stdTimeFunctions,
} from 'pino';

/** Pino's: `log.info({ subnet }, 'lease renewed')`; an error goes under the key `err`. */
export type Logger = PinoLogger;

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

export const logFormats = ['auto', 'json', 'pretty'] as const;
/** `auto` is pretty on a terminal and JSON elsewhere. */
export type LogFormat = (typeof logFormats)[number];

export interface LogOptions {
  readonly level?: LogLevel;
  readonly format?: LogFormat;
  /** Fields of every line, such as the node's name. */
  readonly fields?: Readonly<Record<string, unknown>>;
  /** More paths to redact, in pino's notation, beside `secretPaths`. */
  readonly redact?: readonly string[];
  /** Where lines go instead of standard error; `auto` is then JSON. Tests hand in their own. */
  readonly destination?: DestinationStream;
}

export interface Log {
  readonly root: Logger;
  /** The logger of one part of the program; the same one for the same name. */
  component(name: string): Logger;
  readonly level: LogLevel;
  /** Changes root, components and all their children at once, but for those that were made with a level of their own. */
  setLevel(level: LogLevel): void;
}

const secretNames = ['password', 'token', 'secret', 'authorization', 'privateKey', 'presharedKey'];
/** Never written, at the top of a line's object or one level below. */
export const secretPaths: readonly string[] = secretNames.flatMap((name) => [name, `*.${name}`]);

const standardError = 2;

/** Writes are synchronous: a line is out when the call returns, so a crash or an exit loses none. */
export function createLog(options: LogOptions = {}): Log {
  const { level = 'info', format = 'auto', fields = {}, redact = [], destination } = options;
  const terminal = destination === undefined && isatty(standardError);
  const lines = destination ?? pino.destination({ dest: standardError, sync: true });
  const root: Logger = pino(
    {
      level,
      base: { ...fields },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label: string) => ({ level: label }) },
      redact: { paths: [...secretPaths, ...redact], censor: '(redacted)' },
      serializers: { err: stdSerializers.err },
    },
    format === 'pretty' || (format === 'auto' && terminal) ? forPeople(lines, terminal) : lines,
  );
  const components = new Map<string, Logger>();
  let current = level;

  return {
    root,
    component(name) {
      const known = components.get(name);
      if (known !== undefined) return known;
      const logger = root.child({ component: name });
      components.set(name, logger);
      return logger;
    },
    get level() {
      return current;
    },
    setLevel(next) {
      current = next;
      root.level = next; // children look their level up in their parent, unless they were given their own
    },
  };
}

/** Loaded for people only: a daemon that writes JSON does without it. */
function loadPretty(): typeof import('pino-pretty') {
  return createRequire(import.meta.url)('pino-pretty');
}

/** Formats in this thread: pino's transports run in a worker, which costs memory and loses lines at exit. */
function forPeople(lines: DestinationStream, colorize: boolean): DestinationStream {
  const format = loadPretty().prettyFactory({
    colorize,
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'component',
    messageFormat: '{if component}{component}: {end}{msg}',
  });
  return { write: (line) => void lines.write(format(line)) };
}
