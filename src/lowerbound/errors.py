"""The one exception whose text is shown to a person as it is."""


class UserError(ValueError):
    """Something that the user can put right.

    The message is one sentence that says what is wrong, where, and what to do. The command line prints it and exits
    with code 2; the Python interfaces raise it, and since it is a `ValueError`, nobody needs to import it.
    """
