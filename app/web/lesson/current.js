/*
 * Marks the chosen one among hundreds of elements, without drawing the others
 * anew: the attribute is set on the element itself and appears in no template.
 */
import { useLayoutEffect } from '../html.js';

/*
 * Below @ref, @name="@value" for what @selector finds ('' for nothing), and @rest
 * (undefined: no attribute) for what had it before. @drawn changes when the
 * elements may be other ones.
 */
export function useMarked(ref, selector, name, value, rest, drawn) {
	useLayoutEffect(() => {
		const found = selector ? ref.current?.querySelector(selector) : null;

		found?.setAttribute(name, value);
		return () => {
			if (rest === undefined) {
				found?.removeAttribute(name);
			} else {
				found?.setAttribute(name, rest);
			}
		};
	}, [selector, drawn]);
}
