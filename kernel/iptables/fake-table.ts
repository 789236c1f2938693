// One table of the fake: its chains with their rules, printed as iptables-save does. How it is changed is table-change.ts.
import { builtinChains, type IptablesTableName } from './builtin-chains.ts';
import { ruleLine } from './rule-text.ts';
import type { IptablesTable } from './save-text.ts';
import { type FakeChain, TableChange } from './table-change.ts';

export class FakeTable {
  readonly name: IptablesTableName;
  #chains: ReadonlyMap<string, FakeChain>;
  /** How many rules lead to a chain. */
  #uses: ReadonlyMap<string, number> = new Map();

  constructor(name: IptablesTableName) {
    this.name = name;
    this.#chains = new Map(builtinChains[name].map((chain) => [chain, { policy: 'ACCEPT', rules: [] }]));
  }

  get chains(): ReadonlyMap<string, FakeChain> {
    return this.#chains;
  }

  save(): IptablesTable {
    const builtin = builtinChains[this.name];
    const names = [...builtin, ...[...this.#chains.keys()].filter((name) => !builtin.includes(name)).sort()];
    const chains = names.map((name) => [name, this.#chains.get(name) ?? { policy: '-', rules: [] }] as const);
    return {
      name: this.name,
      chains: new Map(chains.map(([name, { policy }]) => [name, policy])),
      rules: chains.flatMap(([name, { rules }]) => rules.map((rule) => ruleLine(name, rule))),
    };
  }

  copy(): FakeTable {
    const other = new FakeTable(this.name);
    other.#chains = this.#chains;
    other.#uses = this.#uses;
    return other;
  }

  /** A change of this table that nobody sees before its commit. */
  begin(): TableChange {
    return new TableChange(this.name, {
      chains: this.#chains,
      uses: this.#uses,
      commit: (chains, uses) => {
        this.#chains = chains;
        this.#uses = uses;
      },
    });
  }
}
