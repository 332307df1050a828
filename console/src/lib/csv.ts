// SPDX-License-Identifier: Apache-2.0
// CSV (RFC 4180) that a spreadsheet does not run: a cell that would start a formula is preceded by an
// apostrophe. Log entries hold text that attackers chose.

export function csvCell(value: unknown): string {
  let text = value === null || value === undefined ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value);
  if (typeof value !== 'number' && /^\s*[=+\-@|%]|^[\t\r\n]/.test(text)) text = `'${text}`;
  return /[",\r\n;\t']/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
}

export function csv(header: string[], rows: unknown[][]): string {
  return [header, ...rows].map((row) => `${row.map(csvCell).join(',')}\r\n`).join('');
}

/** Hands a file to the person; the byte order mark makes spreadsheets read UTF-8. */
export function downloadCsv(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob(['\uFEFF', text], { type: 'text/csv;charset=utf-8' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}
