/**
 * The pictures of `docs/images`, which `tests/screenshots.ts` takes.
 *
 * @module
 */
import type { Appearance } from "./chromium.ts";

/** The views, with the height that each needs on a desktop. */
export const PICTURES = { demo: 910, dashboard: 800, connection: 800 } as const;

/** One of {@link PICTURES}. */
export type PictureName = keyof typeof PICTURES;

/** A picture. */
export interface Picture {
  /** Relative to the root. */
  readonly file: string;
  readonly appearance: Appearance;
}

/** A view on a desktop and on a phone, light and dark. */
export function picturesOf(name: PictureName): readonly Picture[] {
  const sizes = {
    desktop: { width: 1200, height: PICTURES[name] },
    phone: { width: 390, height: 844 },
  };
  return Object.entries(sizes).flatMap(([size, shape]) =>
    ["light", "dark"].map((theme) => ({
      file: `docs/images/${name}-${size}-${theme}.png`,
      appearance: { ...shape, dark: theme === "dark" },
    }))
  );
}

/** The network in one file, for the home page of the site, which has only one colour scheme. */
export const HOME_PICTURE: Picture = {
  file: "docs/images/network-desktop-light.png",
  appearance: { width: 1200, height: 800, dark: false },
};
