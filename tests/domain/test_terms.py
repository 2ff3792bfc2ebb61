from mipres.domain.terms import TERMS_SHA256, TERMS_TEXT

# Section 10.3 of the manual, to the letter.
MANUAL = "Toda vez que al tener acceso a datos de carácter personal es obligatorio cumplir lo establecido en la Ley Estatutaria 1581 de 2012 y en el Capítulo 25 del Título 2 del Libro 2 de la Parte 2 del Decreto 1074 de 2015. Por lo anterior declaro que me comprometo a proteger y mantener la confidencialidad de la información a la que tenga acceso para utilizarla únicamente con los fines del registro, a nunca compartirla con terceros y en consecuencia a no revelar, publicar o dar a conocer, total o parcialmente esta información a ninguna persona diferente."


def test_the_declaration_is_the_manuals() -> None:
    assert TERMS_TEXT == MANUAL


def test_another_text_needs_another_version() -> None:
    # Consents point at version 2025-03 by this hash: change both together, never one.
    assert TERMS_SHA256 == "a3a98df348f12b96172cd67ef73c380f4e940d5c3775562587f27b05fa92080e"
