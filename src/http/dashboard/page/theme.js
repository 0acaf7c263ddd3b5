// @ts-check
// A classic script in the head, so that the kept theme applies before the first paint. Without a kept one the system's theme applies.
try {
  const kept = localStorage.getItem("theme");
  if (kept === "light" || kept === "dark") document.documentElement.dataset.theme = kept;
} catch {
  // A browser that keeps nothing for this page.
}
