// SPDX-License-Identifier: Apache-2.0
/** A directive with each of its actions on a line of its own, as rules are written. */
export function laidOut(rule: string): string {
  return rule
    .split('\n')
    .map((line) => {
      const found = /^(.*) "((?:[^"\\]|\\.)*)"\s*$/.exec(line);
      if (!found) return line;
      const actions = (found[2] ?? '').match(/(?:'(?:[^'\\]|\\.)*'|[^,'])+/g) ?? [];
      return `${found[1]} \\\n    "${actions.map((action) => action.trim()).join(',\\\n    ')}"`;
    })
    .join('\n');
}
