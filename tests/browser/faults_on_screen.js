// What is wrong with the screen as it stands: too wide, cut off or cut in two, too small to hit, not translated. Returns sentences.
({ locale, phone, known }) => {
  const found = [];
  const root = document.documentElement;
  const seen = (el) => {
    if (!el.checkVisibility({ visibilityProperty: true, opacityProperty: true })) return false;
    const box = el.getBoundingClientRect();
    return box.width > 1 && box.height > 1 && !el.closest('.hidden, .skip');
  };
  const name = (el) => `${el.tagName.toLowerCase()} “${(el.innerText || el.ariaLabel || '').trim().slice(0, 30)}”`;

  if (root.scrollWidth > root.clientWidth) {
    const wide = [...document.querySelectorAll('body *')]
      .filter((el) => seen(el) && el.getBoundingClientRect().right > root.clientWidth + 1)
      .slice(-3);
    found.push(`wider than the screen by ${root.scrollWidth - root.clientWidth} px: ${wide.map(name).join(', ')}`);
  }

  const controls = [
    ...document.querySelectorAll(
      'button, a[href], input, select, textarea, summary, [role=button], [role=switch], [role=checkbox], [role=tab]',
    ),
  ];
  for (const el of controls) {
    const target = el.matches('input[type=radio], input[type=checkbox], input[type=file]') ? el.closest('label') : el;
    if (!target || !seen(target)) continue;
    const box = target.getBoundingClientRect();
    if (phone && box.height < 47.5) found.push(`${Math.round(box.height)} px high: ${name(target)}`);
    if (!target.matches('button, a.button, summary, label, [role=button]')) continue;
    const text = document.createRange();
    text.selectNodeContents(target);
    const inner = text.getBoundingClientRect();
    if (inner.width === 0) continue;
    const spills = inner.right > box.right + 1 || inner.left < box.left - 1 || inner.bottom > box.bottom + 1;
    if (spills || (target.scrollWidth > target.clientWidth + 1 && getComputedStyle(target).overflowX === 'hidden'))
      found.push(`words do not fit: ${name(target)}`);
  }

  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const el = walker.currentNode.parentElement;
    if (el.closest('script, style, textarea, option[value=""], [lang]:not(html)') || !seen(el)) continue;
    let text = walker.currentNode.data.trim();
    if (/\b[a-z]+_[a-z_]+\b|\bundefined\b|\bnull\b|\bNaN\b|\[object|Invalid Date/.test(text)) found.push(`a key, not words: “${text}”`);
    for (const one of known) text = text.replaceAll(one, '');
    if (locale === 'en' && /[\u4e00-\u9fff]/.test(text)) found.push(`Chinese in the English app: “${text}”`);
    if (locale === 'zh' && /[A-Za-z]{4,}/.test(text)) found.push(`English in the Chinese app: “${text}”`);
  }
  // A word of English, short enough for any screen, cut in two by a place that is too narrow for it.
  const letters = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  while (letters.nextNode()) {
    const node = letters.currentNode;
    if (node.parentElement.closest('script, style, textarea, option, .clamp') || !seen(node.parentElement)) continue;
    for (const word of node.data.matchAll(/[A-Za-z]{2,12}/g)) {
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      if (range.getClientRects().length > 1) found.push(`“${word[0]}” is cut in two: “${node.data.trim().slice(0, 40)}”`);
    }
  }
  return [...new Set(found)];
}
