// Files that are imported as text, for tsc; Deno knows them by themselves.
declare module "*.html" {
  const text: string;
  export default text;
}
declare module "*.css" {
  const text: string;
  export default text;
}
declare module "uplot/dist/uPlot.esm.js" {
  const text: string;
  export default text;
}
