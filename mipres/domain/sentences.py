"""Spanish sentences that several pages, mails or commands say, each written once."""

NO_NEED_TO_ASK_AGAIN = "no tiene que pedirlo otra vez"
USED_FROM = "MIPRES lo usará desde el"
NOTHING_TO_DO = "No tiene que hacer nada"
NOTHING_TO_DO_IF_NOT_YOU = "Si no fue usted, no tiene que hacer nada"
NOTHING_TO_DO_IF_YOU = "Si fue usted, no tiene que hacer nada"
ENTER_WITH_NEW_PASSWORD = "Ingrese con la contraseña nueva"  # noqa: S105 - a sentence.
LINK_LASTS_UNTIL = "El enlace sirve una sola vez y vence el"
NO_REFUSAL = "No es un rechazo y no se creó ninguna cuenta."
NO_ACCOUNT = "no se creó ninguna cuenta"
REGISTER_AGAIN = "Por favor regístrese de nuevo."
KEPT_BUT_PROOFS = "Lo que escribió sigue aquí, menos las contraseñas y el código de la imagen."
NOTHING_LOST = "Lo que ya había registrado no se pierde."
ANSWER_GONE = "Esta respuesta ya no se muestra"
OTHER_PROFILE = "Con su otro perfil puede ingresar, con las mismas credenciales, por:"
MINISTRY_CHANNELS = "Acuda a los canales de atención del Ministerio de Salud y Protección Social."
PREVIOUS_LOGIN = "Su ingreso anterior fue el"
FIRST_LOGIN = "Este es su primer ingreso"
INVALID_LINK = "El enlace no es válido"
INCOMPLETE_ADDRESS = "La dirección está incompleta o pasó mucho tiempo desde que la abrió."
RADICADO_BY_REPEATING = (
    "Si no lo tiene, repita el registro con los mismos datos: le mostrará el mismo número."
)
WHOSE_SESSION = "ahora está abierta la sesión de"
NO_DAILY_VISIT = (
    "Si acaba de inscribirse o su plaza empieza más adelante, no tiene que volver cada día: consultamos por usted "
    "y le escribimos al correo que figura en www.miseguridadsocial.gov.co."
)
KEEP_RADICADO = "Guarde el número de radicado"
SEE_STATUS = "Consultar el estado del registro"
RESEND_LINK = "Enviar el enlace otra vez"
NOTHING_TO_RESEND = "No hay enlace que reenviar"
SAME_CREDENTIALS = "su usuario y su contraseña siguen siendo los mismos."
NEW_PLACEMENT = (
    "Si tiene una plaza nueva, regístrese otra vez como Servicio Social Obligatorio. Si ya figura en ReTHUS y va a "
    "prescribir como profesional, regístrese como Profesional de la Salud."
)
ASK_THE_TRIBUNAL = "Consulte con el tribunal o la autoridad que la impuso"
ENTER_AS_ALWAYS = "Ya puede ingresar con el usuario y la contraseña de siempre."
ASK_WHY = "Si no pidió este cambio, comuníquese con la mesa de ayuda del Ministerio."
JOINED = "Su cuenta se unió a la de su nuevo documento"
PRESCRIBERS = (
    "Medicina, Odontología, Optometría y Nutrición y Dietética se registran como Profesional de la Salud; las demás "
    "profesiones y el personal administrativo, como Otro Usuario."
)
PROFESSION_IN_RETHUS = (
    "Si su profesión está mal registrada, pida la corrección en ReTHUS al colegio profesional o a la entidad que le "
    "otorgó el registro."
)
OPENS_IN_ANOTHER_TAB = " (se abre en otra pestaña)"
FROM_THE_NEW_PICTURE = "escriba el de la imagen nueva"
FROM_THE_PICTURE = "escriba el código de la imagen"
SOMEBODY_ENTERED = "No se guardó nada: en este navegador ingresó después otra persona, o usted otra vez"
ANOTHER_LINK_OPENED = "en este navegador se abrió después otro enlace."
NEW_PASSWORD_AGAIN = "Escriba otra vez la contraseña nueva"  # noqa: S105 - a sentence.
NOT_ADMITTED = "El registro no lo admite"
UNCONFIRMED = "Nadie lo confirmó a tiempo: ¿corre algún worker? Puede que aún se haga"
NEVER_LOCKED = "El ingreso no tenía intentos fallidos ni bloqueo."
REASON_HINT = "Al menos diez caracteres, sin datos de la persona. Queda en la auditoría."
ALL_IS_AUDITED = "Todo lo que se consulta y se hace aquí queda en la auditoría."
JOIN_TO_NEW_DOCUMENT = "Unir a la cuenta del documento nuevo"
STUCK = "atascados hace más de diez minutos"
NO_REVIEW = "No hay ninguna revisión en curso"
NO_REVIEW_STOPPED = "Ninguna revisión está detenida por su freno"
REVIEW_STOPPED = "Revisión de accesos detenida por su freno"
NEXT_REVIEW_ASKS = "La próxima revisión pregunta otra vez."
IF_DATA_ARE_TRUE = "Si los datos son ciertos:"
IF_DATA_ARE_LOST = "Si el registro perdió datos:"
MAIL_IN_MINUTES = "La persona recibe un correo en los próximos minutos."
MAILS_IN_MINUTES = "La persona recibe un correo en las dos direcciones en los próximos minutos."
SHOWN_WITH_REASON = "Con un motivo se muestran los datos de la persona sin ocultar."
NOT_STUCK_BUT_WATCHING = (
    "No está atascado: la persona pidió esperar. Se consulta el registro una vez al día y todo sigue solo."
)
NOTHING_LEFT = "No queda nada por hacer."
REGISTRIES_DECIDED = (
    "Lo decidieron los registros. Cuando la persona corrija allí sus datos, puede registrarse de nuevo."
)
PERSON_MAY_REGISTER_AGAIN = "La persona puede registrarse de nuevo"
NOTHING_FOR_SUPPORT = "Soporte no tiene que hacer nada."
TRIED_FOR_A_DAY = f"Se reintenta durante un día. {NOTHING_FOR_SUPPORT}"
ACCESS_NOTICES = "Avisos de cambios de acceso"
BACKCHANNEL_LOGOUTS = "Avisos de salida a las aplicaciones"
DATABASE_DECIDES = "Sin contenido; la base de datos decide."
LINK_UNTIL_THEN = "El enlace sirve hasta ese momento."
FACTOR_STAYS = "El segundo factor queda como está"
YOUR_FACTOR_STAYS = "Su segundo factor queda como está"
RESET_CANCELLED = f"Restablecimiento cancelado. {FACTOR_STAYS}."
FACTOR_RESET = "Restablecimiento de un segundo factor"
REPORT_IT_YOURSELF = "por favor avise usted a la mesa de ayuda."
KEEP_RECOVERY_CODES = "Guarde sus códigos de recuperación"
SHOWN_NOW_ONLY = "Se muestran solo ahora, y solo en este navegador."
USE_MY_PASSKEY = "Usar mi llave de acceso"
RECOVERY_CODE = "Uno de sus códigos de recuperación."
CODE_OR_RECOVERY_CODE = (
    f"Los 6 números que muestra ahora su aplicación de autenticación, o {RECOVERY_CODE.lower()}"
)
FACTOR_ASKED = "La contraseña es correcta. Su cuenta pide además su segundo factor."
TOO_MANY_CODES = "Hubo demasiados códigos equivocados y por unos minutos no se comprueba ninguno."
NEVER_SHOWN_AGAIN = "no se vuelve a mostrar."
SECRET_BEFORE_UNTIL = "el secreto anterior sirve hasta"  # noqa: S105 - a sentence.
KEYS_BEFORE_UNTIL = "las claves anteriores sirven hasta"
SUPPORT_CUTS_NO_WAIT = "Soporte no acorta la espera."


def counted(number: int, one: str, many: str) -> str:
    """`1 registro`, `2 registros`, `0 registros`."""
    return f"{number} {one if number == 1 else many}"
