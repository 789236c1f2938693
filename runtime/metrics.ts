// Metrics in a registry of one's own, through prom-client. What is counted is declared by those who count.
import {
  Counter,
  type CounterConfiguration,
  collectDefaultMetrics,
  Gauge,
  type GaugeConfiguration,
  Histogram,
  type HistogramConfiguration,
  Registry,
} from 'prom-client';

export const metricPrefix = 'netloom_';

export interface MetricDeclaration<L extends string> {
  /** Without the prefix: `peers`, `pass_seconds`, `drift_repaired_total`. */
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly L[];
  /** Instead of `metricPrefix`, for names that others have fixed: "kubeproxy_". */
  readonly prefix?: string;
}

export interface Metrics {
  /** Its name ends in `_total`. With `collect`, which adds to it, it is brought up to date for each scrape. */
  counter<L extends string = never>(
    declaration: MetricDeclaration<L> & { readonly collect?: (counter: Counter<L>) => void },
  ): Counter<L>;
  /** With `collect`, which sets it, the gauge is asked anew for each scrape. */
  gauge<L extends string = never>(
    declaration: MetricDeclaration<L> & { readonly collect?: (gauge: Gauge<L>) => void },
  ): Gauge<L>;
  /** Buckets are upper bounds, in the unit that the name ends in (seconds). */
  histogram<L extends string = never>(
    declaration: MetricDeclaration<L> & { readonly buckets: readonly number[] },
  ): Histogram<L>;
  /** Everything, in Prometheus' text format. */
  text(): Promise<string>;
  readonly contentType: string;
}

export interface MetricsOptions {
  /** Also memory, CPU and event loop delay of this process, as `netloom_process_...` and `netloom_nodejs_...`. */
  readonly process?: boolean;
  /** On every metric, such as the node's name. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** A name is declared once in a registry: a second time throws. */
export function createMetrics({ process = false, labels = {} }: MetricsOptions = {}): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels(labels);
  if (process) collectDefaultMetrics({ register: registry, prefix: metricPrefix });

  function configuration<L extends string>(declaration: MetricDeclaration<L>) {
    const { name, help, labels: labelNames = [], prefix = metricPrefix } = declaration;
    return { name: prefix + name, help, labelNames, registers: [registry] };
  }

  return {
    counter<L extends string>({
      collect,
      ...declaration
    }: MetricDeclaration<L> & { readonly collect?: (counter: Counter<L>) => void }) {
      if (!declaration.name.endsWith('_total')) {
        throw new SyntaxError(`Cannot declare counter "${declaration.name}": its name must end in "_total"`);
      }
      const options: CounterConfiguration<L> = configuration(declaration);
      if (collect === undefined) return new Counter(options);
      return new Counter({
        ...options,
        collect() {
          collect(this);
        },
      });
    },
    gauge<L extends string>({
      collect,
      ...declaration
    }: MetricDeclaration<L> & { readonly collect?: (gauge: Gauge<L>) => void }) {
      const options: GaugeConfiguration<L> = configuration(declaration);
      if (collect === undefined) return new Gauge(options);
      return new Gauge({
        ...options,
        collect() {
          collect(this);
        },
      });
    },
    histogram<L extends string>({
      buckets,
      ...declaration
    }: MetricDeclaration<L> & { readonly buckets: readonly number[] }) {
      const options: HistogramConfiguration<L> = { ...configuration(declaration), buckets: [...buckets] };
      return new Histogram(options);
    },
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}
