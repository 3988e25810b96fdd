/* holt.h as a C11 program sees it. */
#include "use_header.h"

int main(void)
{
    return use_header();
}
