/* The door to minizip's reader; see zip_check.h. */
#include "worker/zip_check.h"

#include <minizip/unzip.h>

int64_t
ct_zip_size(const char *path, const char *member)
{
	unz_file_info64 info = {0};
	unzFile zip = unzOpen64(path);
	bool ok;

	if (zip == NULL)
		return -1;
	ok = unzLocateFile(zip, member, 1) == UNZ_OK &&
	     unzGetCurrentFileInfo64(zip, &info, NULL, 0, NULL, 0, NULL, 0) ==
		 UNZ_OK;
	unzClose(zip);
	return ok ? (int64_t)info.uncompressed_size : -1;
}
