/* Parses xen.efi's own command line, which has the form of Xen's. Called by main.c, which has
 * removed the program's name from its front. It calls no firmware, so that the host tests can use
 * it. */
#include "common/string.h"
#include "arch/x86_64/efi/config.h"

/* Returns the first word of the text and moves *text behind it. NULL: there is none. */
static char *next_word(char **text)
{
    char *word = *text, *p;

    while (*word == ' ' || *word == '\t')
        word++;
    for (p = word; *p != '\0' && *p != ' ' && *p != '\t'; p++)
        ;
    *text = *p != '\0' ? p + 1 : p;
    *p = '\0';
    return *word != '\0' ? word : NULL;
}

static bool is_switch(const char *word, const char *name)
{
    return (word[0] == '-' || word[0] == '/') && strcmp(word + 1, name) == 0;
}

const char *command_parse(struct command *c, char *text)
{
    char *word;

    *c = (struct command){ .options = "" };
    while ((word = next_word(&text)) != NULL) {
        if (strcmp(word, "--") == 0) {
            c->options = text;
            break;
        }
        if (strncmp(word + 1, "cfg=", 4) == 0 && (word[0] == '-' || word[0] == '/'))
            c->file = word + 5;
        else if (is_switch(word, "cfg"))
            c->file = (word = next_word(&text)) != NULL ? word : "";
        else if (is_switch(word, "help") || is_switch(word, "?"))
            c->help = true;
        else if (is_switch(word, "basevideo") || is_switch(word, "mapbs"))
            continue; /* options of Xen without meaning here */
        else if (word[0] == '-')
            return "an unknown switch on the command line (-help shows them)";
        else if (c->section != NULL)
            return "two sections on the command line";
        else
            c->section = word;
    }
    if (c->file != NULL && *c->file == '\0')
        return "-cfg= without a file name";
    return NULL;
}
