#include "app/journal/journal.h"

#define STEP 512

int journal_observing(struct journal *journal, int64_t *ret_observation, struct error *error)
{
	*ret_observation = 0;
	for (int64_t to = journal_last(journal); to > 0; to -= STEP) {
		struct entries entries = {0};
		int64_t from = to > STEP ? to - STEP + 1 : 1;
		int r = journal_read(journal, from, (size_t)(to - from + 1), &entries, error);
		for (size_t i = entries.n; r == 0 && i > 0; i--) {
			enum entry_kind kind = entries.list[i - 1].kind;
			if (kind == ENTRY_START || kind == ENTRY_END) {
				*ret_observation = kind == ENTRY_START ? entries.list[i - 1].seq : 0;
				to = 0;
				break;
			}
		}
		entries_fini(&entries);
		if (r < 0) {
			return r;
		}
	}
	return 0;
}
