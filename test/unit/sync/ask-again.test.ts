import { expect, test } from "vitest";
import { askUntilAnswered } from "../../../src/sync/ask-again.ts";

const options = {
  askAgain: { rounds: 5, backoff: { firstMs: 1, maxMs: 1 } },
  signal: new AbortController().signal,
};

test.each([1, 2, 5])(
  "is answered about all ids but those of which Steam is always silent (the first of %d)",
  async (size) => {
    const ids = Array.from({ length: size }, (_, index) => index + 1);
    let isMute = true;
    const { answers, unanswered } = await askUntilAnswered(
      ids,
      async (part) => {
        const answered = new Set(isMute ? [] : part.filter((id) => id !== 1));
        isMute = false;
        return { answer: answered.size, answered };
      },
      options,
    );
    expect(unanswered).toEqual([1]);
    expect(answers.reduce((sum, answered) => sum + answered, 0)).toBe(size - 1);
  },
);
