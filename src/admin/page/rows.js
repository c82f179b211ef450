// Tables of texts: the first cell of a row is its heading, and what tells it apart.

import { element, keep, say } from "./element.js";

/** Fills the table with rows of texts; numbers stand right, as their column does. */
export function fill(table, rows) {
  const right = [...table.tHead.rows[0].cells].map((cell) => cell.classList.contains("number"));
  keep(
    table.tBodies[0],
    rows,
    ([name]) => name,
    ([, ...rest]) => {
      const head = element("th", { scope: "row" });
      const cells = rest.map((_, index) => element("td", right[index + 1] ? { class: "number" } : {}));
      return {
        node: element("tr", {}, head, ...cells),
        show: (row) => row.forEach((text, index) => say([head, ...cells][index], text)),
      };
    },
  );
}
