// Files that are imported as text, for tsc; Deno has their types built in.
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
