/** A heat map: a table of numbers with coloured fields. */
export interface HeatMap {
  readonly title: string;
  readonly rows: readonly string[];
  /** Columns in groups, such as RTTs within bandwidths. */
  readonly groups: readonly { readonly name: string; readonly columns: readonly string[] }[];
  /** A field; `undefined` if it was not measured. */
  readonly field: (row: number, column: number) => Field | undefined;
}

/** One field of a {@link HeatMap}. */
export interface Field {
  readonly text: string;
  /** From 0, bad, to 1, good. */
  readonly goodness: number;
  /** The colour of its frame if it is outside a limit. */
  readonly frame: string | undefined;
}

const WIDTH = 30;
const HEIGHT = 18;
const MIN_LABELS = 130;
/** The width of a character of a label. */
const CHARACTER = 5.5;
const HEAD = 58;
const GAP = 6;

/** Renders heat maps below each other as an SVG file. */
export function svg(maps: readonly HeatMap[]): string {
  const width = Math.max(...maps.map(widthOf));
  let top = 0;
  const parts = maps.map((map) => {
    const part = `<g transform="translate(0 ${top})">${draw(map)}</g>`;
    top += HEAD + map.rows.length * HEIGHT + 14;
    return part;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${top}" width="${width}"`,
    ` height="${top}" font-family="sans-serif" font-size="10">`,
    `<rect width="100%" height="100%" fill="#fff"/>`,
    ...parts,
    "</svg>\n",
  ].join("\n");
}

function widthOf(map: HeatMap): number {
  const { groups } = map;
  const columns = groups.reduce((sum, group) => sum + group.columns.length, 0);
  return widthOfLabels(map) + columns * WIDTH + groups.length * GAP;
}

function widthOfLabels({ rows }: HeatMap): number {
  return Math.max(MIN_LABELS, ...rows.map((row) => row.length * CHARACTER));
}

function draw(map: HeatMap): string {
  const parts = [text(4, 16, map.title, "start", 13)];
  let left = widthOfLabels(map);
  map.rows.forEach((row, i) => parts.push(text(left - 6, middle(i), row, "end")));
  let column = 0;
  for (const { name, columns } of map.groups) {
    parts.push(text(left + columns.length * WIDTH / 2, 34, name, "middle", 11));
    for (const label of columns) {
      parts.push(text(left + WIDTH / 2, 50, label, "middle"));
      map.rows.forEach((_, row) => parts.push(drawField(map.field(row, column), left, row)));
      left += WIDTH;
      column++;
    }
    left += GAP;
  }
  return parts.join("\n");
}

function drawField(field: Field | undefined, left: number, row: number): string {
  if (field === undefined) return "";
  const frame = field.frame === undefined ? "" : ` stroke="${field.frame}" stroke-width="2"`;
  const place = `x="${left + 1}" y="${HEAD + row * HEIGHT + 1}"`;
  const size = `width="${WIDTH - 2}" height="${HEIGHT - 2}"`;
  const rect = `<rect ${place} ${size} fill="${colour(field.goodness)}"${frame}/>`;
  return rect + text(left + WIDTH / 2, middle(row), field.text, "middle");
}

function middle(row: number): number {
  return HEAD + row * HEIGHT + 12.5;
}

function text(x: number, y: number, words: string, anchor: string, size?: number): string {
  const bigger = size === undefined ? "" : ` font-size="${size}"`;
  return `<text x="${x}" y="${y}" text-anchor="${anchor}"${bigger}>${words}</text>`;
}

/** From orange over yellow to green. */
function colour(goodness: number): string {
  const hue = Math.round(20 + 110 * Math.min(Math.max(goodness, 0), 1));
  return `hsl(${hue} 70% 75%)`;
}
