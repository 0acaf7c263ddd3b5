/** A small seeded generator (mulberry32): the same numbers are drawn from the same seed on every machine. */
export interface Random {
  /** In [0, 1). */
  next(): number;
  /** A whole number from `min` to `max`, both included. */
  int(min: number, max: number): number;
  /** True with the given probability. */
  chance(probability: number): boolean;
  pick<T>(list: readonly T[]): T;
  /** `count` different members (or all), in random order. */
  sample<T>(list: readonly T[], count: number): T[];
  /** The first or second part of pairs `[weight, value]`, by weight. */
  weighted<T>(pairs: readonly (readonly [number, T])[]): T;
  /** `length` lower-case hexadecimal digits. */
  hex(length: number): string;
}

export function createRandom(...seeds: number[]): Random {
  let state = mix(seeds);
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const int = (min: number, max: number) => min + Math.floor(next() * (max - min + 1));
  const pick = <T>(list: readonly T[]): T => list[int(0, list.length - 1)] as T;
  return {
    next,
    int,
    pick,
    chance: (probability) => next() < probability,
    sample(list, count) {
      const rest = [...list];
      const wanted = Math.min(count, rest.length);
      for (let i = 0; i < wanted; i += 1) {
        const j = int(i, rest.length - 1);
        const swapped = rest[i] as (typeof rest)[number];
        rest[i] = rest[j] as (typeof rest)[number];
        rest[j] = swapped;
      }
      return rest.slice(0, wanted);
    },
    weighted(pairs) {
      let left = next() * pairs.reduce((sum, [weight]) => sum + weight, 0);
      for (const [weight, value] of pairs) {
        left -= weight;
        if (left < 0) return value;
      }
      return (pairs.at(-1) as (typeof pairs)[number])[1];
    },
    hex(length) {
      let text = "";
      while (text.length < length)
        text += Math.floor(next() * 4294967296)
          .toString(16)
          .padStart(8, "0");
      return text.slice(0, length);
    },
  };
}

/** FNV-1a over the words of the seeds, so that neighbouring appids do not draw related numbers. */
function mix(seeds: number[]): number {
  let hash = 0x811c9dc5;
  for (const seed of seeds) {
    for (const word of [seed >>> 0, Math.floor(seed / 4294967296) >>> 0]) {
      hash = Math.imul(hash ^ (word & 0xffff), 0x01000193);
      hash = Math.imul(hash ^ (word >>> 16), 0x01000193);
    }
  }
  return hash | 0;
}
