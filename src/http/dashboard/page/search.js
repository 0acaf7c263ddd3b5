// @ts-check
import { ApiError } from "./api.js";
import { byId, el, fill } from "./dom.js";
import { navigate } from "./router.js";
import { settings } from "./settings.js";
import { addressOf, suggestionsFor } from "./suggestions.js";

/**
 * The search field of the header, a combobox (WAI-ARIA): suggestions while one types, arrows to choose, Enter to open, Escape to close. An
 * appid, or the address of a store page, goes straight to the app; other text without a choice opens the list of all apps that match.
 *
 * @typedef {import("./suggestions.js").Option} Option
 */

const debounceMs = 150;

export function setUpSearch() {
  const form = byId("search");
  const field = /** @type {HTMLInputElement} */ (byId("search-field"));
  const listbox = createListbox(form, field);
  let asked = new AbortController();

  function close() {
    asked.abort();
    listbox.show([], "");
  }
  /** @param {string | null} address */
  function open(address) {
    if (address === null) return;
    field.value = "";
    field.blur();
    navigate(address);
  }
  async function suggest() {
    asked.abort();
    asked = new AbortController();
    const { signal } = asked;
    const text = field.value.trim();
    if (text === "" || !settings.api) return close();
    await new Promise((resolve) => setTimeout(resolve, debounceMs));
    if (signal.aborted) return;
    try {
      const found = await suggestionsFor(text, signal);
      listbox.show(found, found.length === 0 ? `No app is named “${text}”.` : countText(found.length));
    } catch (error) {
      if (!signal.aborted) listbox.show([], error instanceof ApiError ? error.message : String(error));
    }
  }

  field.addEventListener("input", () => {
    // A choice was among the suggestions of another text.
    listbox.choose(-1);
    void suggest();
  });
  field.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "Escape") {
      if (listbox.isShown()) close();
      else field.blur();
    } else if (event.key === "ArrowDown") listbox.move(1);
    else if (event.key === "ArrowUp") listbox.move(-1);
    else return;
    event.preventDefault();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    open(listbox.chosen()?.address ?? addressOf(field.value.trim()));
  });
  listbox.onClick(({ address }) => open(address));
  field.addEventListener("blur", close);
  focusOnSlash(field);
}

/** The list below the field, and a live region that says how many there are, or why there are none. @param {HTMLElement} form @param {HTMLInputElement} field */
function createListbox(form, field) {
  const list = el("ul", { id: "search-options", class: "search-options", role: "listbox", "aria-label": "Apps" });
  const news = el("p", { class: "search-news", role: "status" });
  list.hidden = true;
  form.append(list, news);
  for (const [name, value] of Object.entries(comboboxRole)) field.setAttribute(name, value);
  /** @type {Option[]} */
  let options = [];
  /** Place of the chosen option; -1 for none. */
  let place = -1;

  /** @param {number} next */
  function choose(next) {
    place = next;
    for (const [at, item] of [...list.children].entries()) item.setAttribute("aria-selected", String(at === place));
    if (place < 0) return field.removeAttribute("aria-activedescendant");
    field.setAttribute("aria-activedescendant", optionId(place));
    list.children[place]?.scrollIntoView({ block: "nearest" });
  }
  return {
    choose,
    /** @param {Option[]} next @param {string} said read out, and shown where there is no option */
    show(next, said) {
      options = next;
      fill(list, ...options.map(optionItem));
      list.hidden = options.length === 0;
      field.setAttribute("aria-expanded", String(!list.hidden));
      news.textContent = said;
      news.classList.toggle("is-shown", list.hidden && said !== "");
      choose(-1);
    },
    isShown: () => !list.hidden || news.classList.contains("is-shown"),
    chosen: () => options[place],
    /** To the next or the previous one; beyond the ends is the text itself. @param {1 | -1} step */
    move(step) {
      const places = options.length + 1;
      choose(((place + 1 + step + places) % places) - 1);
    },
    /** @param {(option: Option) => void} use */
    onClick(use) {
      // The field keeps the focus.
      list.addEventListener("pointerdown", (event) => event.preventDefault());
      list.addEventListener("click", (event) => {
        const item = event.target instanceof Element ? event.target.closest("[role=option]") : null;
        const option = item && options[[...list.children].indexOf(item)];
        if (option) use(option);
      });
    },
  };
}

const comboboxRole = {
  role: "combobox",
  "aria-autocomplete": "list",
  "aria-controls": "search-options",
  "aria-expanded": "false",
};
/** @param {number} place */
const optionId = (place) => `search-option-${place}`;

/** @param {Option} option @param {number} place */
const optionItem = ({ title, about }, place) =>
  el(
    "li",
    { id: optionId(place), role: "option", "aria-selected": "false" },
    el("strong", {}, title),
    el("span", { class: "quiet" }, about),
  );

/** @param {number} count */
const countText = (count) => (count === 1 ? "1 suggestion" : `${count} suggestions`);

/** @param {HTMLInputElement} field */
function focusOnSlash(field) {
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    event.preventDefault();
    field.focus();
    field.select();
  });
}

/** @param {EventTarget | null} target */
const isTyping = (target) =>
  target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
